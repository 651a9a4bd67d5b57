"""Malformed inputs end in a sentence: a part of benchmarks/bad_inputs.py's table, and all of it at night."""

import pytest
from benchmarks.bad_input_cases import all_cases, cheap_cases
from benchmarks.bad_inputs import is_expected, try_all


def wrong(cases) -> list[str]:
    results = try_all(cases, patience=120)
    return [f"{' '.join(c.words)}: {o.end}: {o.said}" for c, o in results if not is_expected(c, o)]


# Catches an input that ends in a traceback, hangs, or is silently taken: every tenth that needs no run.
def test_malformed_inputs_end_in_a_sentence(capsys):
    cases = [case for case in cheap_cases() if not case.why]
    assert len(cases) > 1000
    assert wrong(cases[::10]) == []


@pytest.mark.nightly
def test_all_malformed_inputs_end_in_a_sentence(capsys):
    assert wrong(all_cases()) == []
