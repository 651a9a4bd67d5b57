"""The effect audit's report: in a run's folder, and in its last lines."""

import json
import re
from dataclasses import replace

import pytest

from audit.cases import PLANTED
from covey.audit.report import AuditReport, ModuleReport
from covey.cli import main


@pytest.mark.slow
def test_the_run(tmp_path, capsys):
    """One sentence and status 2 before anything is trained; `--no-audit` trains all the same, to the bits of
    the sound algorithm under audit: the one setting more has no effect indeed."""
    # Would break: a defect that only Python hears of, an audit that stays on, or that alters bits.
    options = ["--seeds=1", "--steps=2000", "--report-every=1000", "--envs=4", "--eval-episodes=2"]
    command = lambda name, *more: ["train", f"{PLANTED}:{name}", "two_step", *options, *more]
    assert main(command("UnreadSetting", f"--out={tmp_path / 'refused'}")) == 2
    assert "clip_reward=10.0 changes nothing" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()
    assert main(command("UnreadSetting", "--no-audit", f"--out={tmp_path / 'without'}")) == 0
    assert "effect audit" not in capsys.readouterr().out
    assert main(command("Sound", f"--out={tmp_path / 'with'}")) == 0
    line = r"effect audit: 6 settings read, 6 modules moved .*targets followed, exploring changed"
    assert re.search(line, capsys.readouterr().out)
    names = ("with", "without")
    summaries = {name: json.loads((tmp_path / name / "summary.json").read_text()) for name in names}
    assert summaries["with"]["audit"]["judged"] and summaries["without"]["audit"] is None
    rows = {name: (tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in names}
    bits = {name: [json.loads(row)["fingerprint"] for row in rows[name]] for name in names}
    assert bits["with"] == bits["without"] and len(bits["with"]) > 1


REPORT = AuditReport(
    settings_read=["gamma"],
    settings_idle={"chunk": "with actor=recurrent"},
    off=["small"],
    terms=[],
    updates={"learner": 60},
    judged=True,
    modules={"online": ModuleReport(1.0, True), "target": ModuleReport(0.0, None, is_target=True)},
    explored={"": 0.25},
    notes=["the weights of online collapsed to 0, from 1 at first"],
)


def test_its_lines():
    # Would break: a warning that is counted but not shown.
    assert REPORT.lines() == [
        "effect audit: 1 setting read, 1 idle here, 1 module moved (gradients read from optimiser states), "
        "target has not followed yet, exploring changed 25 % of actions, off by choice: small",
        "  possible defect: the weights of online collapsed to 0, from 1 at first",
    ]
    assert replace(REPORT, judged=False).lines() == [
        "effect audit: 1 setting read, 1 idle here; 60 updates are too few to tell what moves"
    ]


def test_its_json():
    # Would break: keys of summary.json that readers of run folders rely on.
    assert json.loads(json.dumps(REPORT.to_json())) == {
        "settings": {"read": ["gamma"], "idle": {"chunk": "with actor=recurrent"}},
        "off": ["small"], "terms": [], "updates": {"learner": 60}, "judged": True, "explored": {"": 0.25},
        "modules": {"online": {"moved": 1.0, "gradient": True}, "target": {"moved": 0.0, "gradient": None}},
        "notes": ["the weights of online collapsed to 0, from 1 at first"],
    }  # fmt: skip
