"""A record of ten updates of every algorithm in every kind of world, and of the audit's verdict on each.

    python -m benchmarks.bits --json before.json       # on the code as it was
    python -m benchmarks.bits --against before.json    # after a change that should change nothing

A cell is one short run. Its record holds a digest of the fingerprints of all weights and of the metrics at
each report, and the audit's verdict. The fingerprints of a learner are sorted before they are digested, so
that fields may move within a learner. A preset is run for one report: its verdict counts, not its weights.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import covey
from covey.config import catalogue
from covey.config.tuned import tuned_environments

FACTORED = ("iql", "vdn", "qmix", "cw_qmix", "ow_qmix")
ROLLOUTS = ("pqn_iql", "pqn_vdn", "pqn_qmix")
POLICY = ("coma", "ippo", "mappo", "hyper_mappo")
DETERMINISTIC = ("maddpg", "dual_q")
WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    "table": ("two_step", {}),
    "one step": ("matrix/penalty", {}),
    "particles": ("spread", {}),
    "continuous": ("spread", {"continuous": True}),
    "teams": ("pursuit", {}),
    "grid": ("predator_prey", {"horizon": 20}),
    "deaths": ("probe/death", {}),
    "memory": ("probe/recall", {}),
    "python": ("pz:mpe2.simple_spread_v3", {}),
    "a user's": ("examples/my_environment.py:rendezvous", {}),
}
EPISODE = {"table": 2, "one step": 1, "grid": 20, "deaths": 4, "memory": 4, "a user's": 20}
COPIES = 8
REPORTS = 12


def cells() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Each run by its name: an algorithm, a world, and keywords of `covey.train`."""
    found = {}
    for kind, (world, env) in WORLDS.items():
        for name in (*FACTORED, *ROLLOUTS, *POLICY, *DETERMINISTIC):
            settings: dict[str, Any] = {}
            if name in FACTORED:
                settings = {"experience.batch_size": COPIES, "experience.capacity": 200}
            if name in ROLLOUTS:
                settings = {"agent.hidden": 64, "epochs": 2, "minibatches": 2}
            if name in DETERMINISTIC:
                settings = {
                    "experience.start": 100,
                    "experience.batch_size": 64,
                    "experience.capacity": 20_000,
                }
            if name in POLICY and name != "coma":
                settings = {"epochs": 2, "minibatches": 2}
            if name == "hyper_mappo" and kind == "one step":
                settings["smooth_weight"] = 0.0
            steps = REPORTS * COPIES * EPISODE.get(kind, 25)
            options = {"preset": "original", "steps": steps, "settings": settings, "env": env}
            found[f"{name} in {kind}"] = (name, world, options)
    for name in catalogue.ALGORITHMS:
        for world in tuned_environments(name):
            found[f"{name} tuned for {world}"] = (name, world, {"preset": "tuned", "steps": 1})
    return found


def record(algorithm: str, world: str, options: dict[str, Any]) -> dict[str, Any]:
    """Train, and return the digests and the audit's verdict; or the sentence that refused the run."""
    out = Path(tempfile.mkdtemp()) / "run"
    short: dict[str, Any] = {"envs": COPIES, "eval_episodes": 8} if options["preset"] == "original" else {}
    options = short | options
    try:
        run = covey.train(algorithm, world, seeds=2, report_every=1, out=out, quiet=True, **options)
        rows = run.metrics
        audit = run.summary["audit"]
    except covey.UserError as error:
        return {"refused": str(error)}
    finally:
        shutil.rmtree(out.parent, ignore_errors=True)
    verdict = {name: audit[name] for name in ("settings", "off", "terms")}
    if options["preset"] == "tuned":
        return {"audit": verdict}
    verdict |= {name: audit[name] for name in ("updates", "judged", "notes")}
    verdict["still"] = sum(module["moved"] in (0, None) for module in audit["modules"].values())
    digests = [digest(row) for row in rows]
    return {"bits": digest(digests), "reports": digests, "last": numbers(rows[-1]), "audit": verdict}


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("seconds", "fingerprint")}


def digest(row: Any) -> str:
    if isinstance(row, dict):
        prints = [sorted(x[i : i + 8] for i in range(0, len(x), 8)) for x in row["fingerprint"]]
        row = {**numbers(row), "fingerprint": prints}
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what differs between two records of a cell.

    A verdict may name more terms of a loss than before, but must not lose one.
    """
    wrong = [key for key in after if key != "audit" and after[key] != before.get(key)]
    old = before.get("audit", {})
    for key, value in after.get("audit", {}).items():
        known = old.get(key)
        lost = key == "terms" and not set(known or []) <= set(value)
        wrong += [f"audit {key}"] if lost or (key != "terms" and value != known) else []
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the record here; done cells are kept")
    parser.add_argument("--against", type=Path, metavar="FILE", help="an earlier record, to compare with")
    parser.add_argument("--only", default="", metavar="TEXT", help="cells whose name has this in it")
    parser.add_argument("--part", default="0/1", metavar="K/N", help="every Nth cell, from the Kth")
    options = parser.parse_args()
    before = json.loads(options.against.read_text()) if options.against else {}
    records = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    part, parts = map(int, options.part.split("/"))
    chosen = [name for name in cells() if options.only in name][part::parts]
    changed = 0
    for name in chosen:
        began = time.perf_counter()
        if name not in records:
            records[name] = record(*cells()[name])
            if options.json:
                options.json.write_text(json.dumps(records, indent=1) + "\n")
        summary = records[name].get("bits") or records[name].get("refused") or "verdict"
        if before:
            wrong = differences(before.get(name, {}), records[name])
            changed += bool(wrong)
            summary = f"differs in {', '.join(wrong)}" if wrong else "same"
        print(f"{name}: {summary} ({time.perf_counter() - began:.0f} s)", flush=True)
    if before:
        print(f"{len(chosen) - changed} of {len(chosen)} cells are the same")
        sys.exit(bool(changed))


if __name__ == "__main__":
    main()
