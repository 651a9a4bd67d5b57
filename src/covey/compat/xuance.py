"""XuanCe's runner over covey: `get_runner(algo="qmix", env="mpe", env_id="simple_spread_v3").run("train")`.

Both generations of the interface are taken: `method` or `algo`, `is_test` or `mode`. What covey cannot take
over is printed.
"""

import csv
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from .. import api, yaml_text
from ..config.options import command_line_sentence
from ..errors import UserError
from ..migrate import Translation
from ..migrate.xuance import translate_xuance

__all__ = ["Runner", "get_runner"]


def get_runner(
    algo: str | None = None,
    env: str | None = None,
    env_id: str | None = None,
    config_path: str | Path | None = None,
    parser_args: Namespace | None = None,
    is_test: bool = False,
    method: str | None = None,
) -> "Runner":
    """Return a runner of one algorithm in one world, from the settings of a YAML file and of a parser."""
    found = yaml_text.read_file(Path(config_path)) if config_path else {}
    found |= vars(parser_args) if parser_args else {}
    named = {"algo": algo or method, "env": env, "env_id": env_id}
    found |= {name: value for name, value in named.items() if value is not None}
    return Runner(found, is_test)


class Runner:
    """A run in covey, by the names that XuanCe gives its parts."""

    def __init__(self, found: dict[str, Any], is_test: bool = False):
        self.found = found
        self.is_test = is_test
        self.translation: Translation = translate_xuance(found)
        self.result: api.Run | None = None
        print(self.translation)

    @property
    def out(self) -> Path:
        """The run's folder, in the place of XuanCe's models."""
        root = Path(str(self.found.get("model_dir", "models")))
        return root / str(self.found.get("env_id", "world")) / f"seed_{self.found.get('seed', 0)}"

    def run(self, mode: str | None = None, **options: Any) -> Any:
        """Train, test a trained run, or train and write what XuanCe's benchmark writes."""
        mode = mode or ("test" if self.is_test else "train")
        if mode == "train":
            return self.train()
        if mode == "test":
            return self.test(options.get("model_path"), options.get("test_episodes"))
        if mode == "benchmark":
            return self.benchmark(options.get("benchmark_result_path"))
        raise UserError(f"mode={mode} is none of train, test, benchmark")

    def train(self) -> "api.Run":
        """Train, or go on with a run that is there."""
        if (self.out / "config.yaml").exists():
            self.result = api.resume(self.out)
            return self.result
        words = self.translation.words
        pairs = yaml_text.parse_pairs([word for word in words if not word.startswith("--")])
        options = dict(word.removeprefix("--").split(" ", 1) for word in words if word.startswith("--"))
        named: dict[str, Any] = {
            name.replace("-", "_"): value for name, value in options.items() if name != "out"
        }
        try:
            self.result = api.train(
                self.translation.algorithm,
                self.translation.environment,
                settings={"preset": "original"} | pairs,
                out=self.out,
                seeds=1,
                **named,
            )
        except UserError as error:
            raise UserError(f"XuanCe's settings as covey's: {command_line_sentence(error)}") from error
        return self.result

    def test(self, path: str | Path | None = None, episodes: int | None = None) -> dict[str, Any]:
        """Play greedy episodes of a run; return what `covey eval --json` prints."""
        found = api.evaluate(path or self.out, episodes=episodes)
        print(found)
        return found.to_json()

    def benchmark(self, path: str | Path | None = None) -> Path:
        """Train, and write learning_curve.csv, test_scores.csv and meta_data.json."""
        run = self.train()
        root = Path(path or self.found.get("result_dir", "results"))
        folder = root / self.translation.algorithm / str(self.found.get("env_id", "world"))
        folder.mkdir(parents=True, exist_ok=True)
        team = run.summary["eval"]["team"]
        rows = [row for row in run.metrics if f"eval/return/{team}" in row]
        _write_csv(
            folder / "learning_curve.csv",
            ["step", "score"],
            [[r["step"], r[f"eval/return/{team}"]] for r in rows],
        )
        scores = run.summary["eval"]["team_return"]["per_seed"]
        _write_csv(folder / "test_scores.csv", ["mean", "std"], [[np.mean(scores), np.std(scores)]])
        (folder / "meta_data.json").write_text(json.dumps(run.summary, indent=1))
        return folder

    def finish(self) -> None:
        """End; covey has nothing to close."""


def _write_csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
