"""Defects planted in users' algorithms and mixers: which are caught, when, and by what sentence.

    python -m benchmarks.planted_faults                  # all, and false alarms
    python -m benchmarks.planted_faults --only Reward    # those whose name has this in it
    python -m benchmarks.planted_faults --alarms         # false alarms alone

A defect meets the audit before training, then while training, then `covey check`, until one of them names it.
A false alarm is anything said of a sound algorithm: the sound ones of `benchmarks/planted`, and every
algorithm that covey ships in every kind of world.
"""

import sys
import time
from typing import Any

from covey.audit.audit import Audit
from covey.audit.static import examine
from covey.config.catalogue import ALGORITHMS
from covey.config.config import Config
from covey.errors import UserError
from covey.runs.engine import Engine
from covey.testing import CheckError
from covey.testing.by_name import check_name

from .common import parse_options, print_table, save_results
from .planted.table import CHECK, DEFECTS, SOUND, STOPPED, TOLD, TRAINING, UNSEEN, Defect

OPTIONS = {"seeds": 1, "steps": 2000, "report_every": 1000, "envs": 4, "eval_episodes": 2}
WORLDS = ("two_step", "matrix/climbing", "predator_prey", "spread", "tag", "probe/death", "probe/meeting",
          "speaker_listener", "skirmish/3m")  # fmt: skip


def before_training(defect: Defect) -> tuple[str, str]:
    """Return whether the audit stops or tells before training, and its sentence."""
    try:
        config = Config.parse(defect.algorithm, defect.world, defect.settings, OPTIONS)
        told = examine(config, Engine(config).trainer).told
    except UserError as error:
        return STOPPED, str(error)
    return (TOLD, "; ".join(told)) if told else (UNSEEN, "")


def while_training(defect: Defect) -> tuple[str, str]:
    """Return whether the audit stops a short training, and its sentence."""
    config = Config.parse(defect.algorithm, defect.world, defect.settings, OPTIONS)
    engine = Engine(config)
    audit = Audit(config, engine)
    states = engine.start()
    audit.begin(states, 0)
    try:
        states, metrics, _ = engine.advance(states, 0)
        audit.after_chunk(states, metrics, engine.iterations, half=False)
    except UserError as error:
        return TRAINING, str(error)
    notes = audit.finish(states).notes
    return (TRAINING, "; ".join(notes)) if notes else (UNSEEN, "")


def in_a_check(defect: Defect) -> tuple[str, str]:
    """Return whether `covey check` sees it, and its sentence."""
    if defect.file == "mixers":
        return UNSEEN, ""
    try:
        proven = check_name(defect.algorithm, {}, None).proven
    except (CheckError, UserError) as error:
        return CHECK, str(error)
    said = [line for line in proven if line.startswith("possible defect")]
    return (CHECK, "; ".join(said)) if said else (UNSEEN, "")


def catch(defect: Defect) -> dict[str, Any]:
    """Return when a defect is caught, the sentence, and the seconds before training."""
    began = time.perf_counter()
    caught, said = before_training(defect)
    seconds = time.perf_counter() - began
    for later in (while_training, in_a_check):
        if caught == UNSEEN:
            caught, said = later(defect)
    right = caught == defect.caught and defect.words in said
    return {
        "defect": defect.name,
        "caught": caught,
        "as listed": "yes" if right else "NO",
        "seconds before training": f"{seconds:.1f}",
        "sentence": said.split(";")[0].removesuffix("(--no-audit trains all the same)").strip(),
    }


def alarms() -> list[dict[str, Any]]:
    """Return everything that is said before training of what is sound."""
    sound = [(d.algorithm, d.world, d.settings) for d in SOUND]
    shipped = [name for name in ALGORITHMS if name != "random" and not name.startswith("scripted/")]
    sound += [(name, world, []) for name in shipped for world in WORLDS]
    rows = []
    tried = 0
    for algorithm, world, settings in sound:
        try:
            config = Config.parse(algorithm, world, settings, {"seeds": 1})
        except UserError:  # they do not go together
            continue
        tried += 1
        try:
            said = examine(config, Engine(config).trainer).told
        except UserError as error:
            said = [str(error)]
        rows += [{"algorithm": algorithm, "world": world, "false alarm": note} for note in said]
    print(f"false alarms: {len(rows)} of {tried} pairs of a sound algorithm and a world", flush=True)
    return rows


def main() -> None:
    more = {
        "--only": {"default": "", "metavar": "TEXT", "help": "defects whose name has this in it"},
        "--alarms": {"action": "store_true", "help": "only false alarms"},
    }
    options = parse_options(__doc__ or "", repetitions=None, **more)
    wanted = [] if options.alarms else [defect for defect in DEFECTS if options.only in defect.name]
    rows = []
    for defect in wanted:
        rows.append(catch(defect))
        print(f"{defect.name}: {rows[-1]['caught']}: {rows[-1]['sentence']}", flush=True)
    false = [] if options.only else alarms()
    for table in (rows, false):
        if table:
            print_table(table)
    save_results(options.json, {"defects": rows, "false alarms": false})
    sys.exit(bool(false) or any(row["as listed"] == "NO" for row in rows))


if __name__ == "__main__":
    main()
