"""Run folders made by hand for tests of reports: they hold what a run would have written, and no JAX ran."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

CONVENTION = "team reward summed over an episode of at most 25 steps"


def write_run(
    path: Path,
    algorithm: str = "qmix",
    environment: str = "spread",
    scores: float = 0.0,
    seeds: int = 5,
    first_seed: int = 0,
    reports: int = 12,
    settings: dict | None = None,
    env: dict | None = None,
    fingerprint: str = "",
    extra: dict | None = None,
) -> Path:
    """Write a run whose greedy returns end near `scores`; every second report has an evaluation."""
    path.mkdir(parents=True)
    learner = {"name": algorithm, "gamma": 0.99} | (settings or {})
    config = {
        "algorithm": algorithm,
        "environment": environment,
        "seeds": seeds,
        "seed": first_seed,
        "learners": {"team": learner},
        "env": env or {},
    }
    (path / "config.yaml").write_text(json.dumps(config))
    rng = np.random.default_rng([seeds, first_seed, len(algorithm), round(100 * abs(scores))])
    final = scores + rng.normal(size=seeds)
    rows = []
    for report in range(1, reports + 1):
        share = report / reports
        for seed in range(seeds):
            row = {"report": report, "seed": seed, "seconds": 2.0 * report, "updates": 10 * report}
            row |= {"step": 1000 * report, "episodes": 40, "loss": 1 / report, "td_error": None}
            row["train/return/team"] = float(final[seed] * share - 3)
            if report % 2 == 0:
                value = final[seed] if report == reports else final[seed] * share + rng.normal() / 10
                row |= {"eval/return/team": float(value), "eval/agent_return/agent_0": float(value)}
                row["eval/length"] = 25.0
            row |= {"fingerprint": [f"{fingerprint or path.name}{report}"], "seen": "00000000"}
            rows.append(row | (extra or {}))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = {
        "algorithm": algorithm,
        "environment": environment,
        "eval": {"team": "team", "convention": CONVENTION, "team_return": {"per_seed": final.tolist()}},
        "train": {"env_steps_per_second": 1234, "compile_seconds": 3.5, "wall_seconds": 24.0},
        "audit": {"settings": {"read": ["gamma"], "idle": {}}, "judged": True, "modules": {}, "notes": []},
    }
    (path / "summary.json").write_text(json.dumps(summary))
    run = {"status": "finished", "time": "2026-01-02 03:04:05", "command": ["covey", "train", algorithm]}
    (path / "run.json").write_text(json.dumps(run))
    return path


class Parsed(HTMLParser):
    """A page's elements, and the text between them."""

    def __init__(self, content: bytes):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        (self.scripts if self.elements and self.elements[-1][0] == "script" else self.texts).append(data)

    @property
    def data(self) -> dict:
        """The data that the page embeds."""
        return json.loads(
            next(text for text in self.scripts if text.startswith("{")), parse_constant=pytest.fail
        )
