"""Random inputs end in a sentence, or are accepted: a few in CI, ten thousand at night."""

import pytest
from benchmarks.fuzz import describe, fuzz


def wrong(cases: int, seed: int) -> list[str]:
    return [describe(tried) for tried in fuzz(cases, seed, patience=60) if tried.is_wrong]


# Catches a traceback or a hang that a change brings to the parser, YAML, or the reading of run folders.
def test_random_inputs_end_in_a_sentence(capsys):
    assert wrong(150, 1) == []


@pytest.mark.nightly
def test_ten_thousand_random_inputs(capsys):
    assert wrong(10_000, 0) == []
