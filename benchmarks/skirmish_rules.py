"""How much each rule of the battles of `skirmish` is worth: random play without it.

Each variant leaves one rule out, or takes another number for it, and plays at random as
`benchmarks.skirmish_calibration` does. Rules that are numbers of units are changed in a table of units, as a
user's own would be; the others by other constants in the battle's modules.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from covey.environments.skirmish import battle, movement, placing
from covey.environments.skirmish.units import UnitType, read_units

from .common import parse_options, print_table, save_results
from .skirmish_calibration import REAL, mean_text, measure

MAPS = ("8m", "2s3z", "6h_vs_8z")


class Variant(NamedTuple):
    """What is different: numbers of units, or constants of modules."""

    numbers: Callable[[UnitType], dict[str, float]] | None = None
    constants: tuple[tuple[Any, str, Any], ...] = ()


def set_number(**values: float) -> Callable[[UnitType], dict[str, float]]:
    """Set numbers of all units that have them."""
    return lambda unit: {key: value for key, value in values.items() if getattr(unit, key)}


VARIANTS = {
    "all rules": Variant(),
    "no wind-up": Variant(set_number(windup=0)),
    "no backswing": Variant(set_number(backswing=0)),
    "a zealot's second hit at once": Variant(set_number(hit_interval=1 / 16)),
    "no slop": Variant(set_number(slop=0)),
    "missiles hit at once": Variant(set_number(missile=0)),
    "no random delay": Variant(constants=((battle, "_EARLIEST", 0.5), (battle, "_LATEST", 0.5))),
    # Radii of two units add up to about as much, so that nobody but the one who was hit hears the call.
    "no call for help": Variant(constants=((movement, "CALL_RADIUS", -0.9),)),
    "a call for help at every hit": Variant(constants=((movement, "CALL_PERIOD", 0.0),)),
    "a target is kept, whoever is in the way": Variant(constants=((movement, "_PROGRESS", 0.0),)),
    "places on a grid of eighths": Variant(constants=((placing, "_OFFSETS", placing.spiral(0.125)),)),
    "nobody walks around others": Variant(constants=((movement, "_AHEAD", 2.0),)),
    "who attacks gives way like others": Variant(constants=((movement, "_STUBBORN", 0.99),)),
    "no collisions": Variant(
        constants=((movement, "push_apart", lambda stats, pos, solid, weight: pos), (movement, "_AHEAD", 2.0))
    ),
}


@contextmanager
def applied(variant: Variant) -> Iterator[dict[str, Any]]:
    """Apply a variant; give the settings that the world needs for it."""
    patches = [patch.object(module, name, value) for module, name, value in variant.constants]
    for each in patches:
        each.start()
    try:
        if variant.numbers is None:
            yield {}
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "units.yaml"
            path.write_text(table(variant.numbers))
            yield {"data": str(path)}
    finally:
        for each in patches:
            each.stop()


def table(numbers: Callable[[UnitType], dict[str, float]]) -> str:
    """Return a table of units, as YAML, that changes the world's own."""
    changed = {name: numbers(unit) for name, unit in read_units("lotv").units.items()}
    lines = ["base: lotv", "units:"]
    for name, values in changed.items():
        if values:
            lines += [f"  {name}:", *(f"    {key}: {value}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def row(name: str, results: dict[str, Any]) -> dict[str, str]:
    texts = {m: f"{mean_text(x['length'], 1)}; {mean_text(x['total'], 2)}" for m, x in results[name].items()}
    return {"random play: length; return": name} | texts


def main() -> None:
    more: dict[str, dict[str, Any]] = {
        "--maps": {"nargs": "+", "choices": list(REAL), "default": list(MAPS), "metavar": "MAP"},
        "--battles": {"type": int, "default": 250, "help": "of each variant on each map (250)"},
    }
    options = parse_options(__doc__ or "", None, **more)
    results: dict[str, Any] = {name: {} for name in VARIANTS}
    for m in options.maps:
        for name, variant in VARIANTS.items():
            with applied(variant) as settings:
                results[name][m] = measure(m, options.battles, **settings)
            print(f"{m}: {name}", flush=True)
            save_results(options.json, results)
    print_table([row(name, results) for name in results])


if __name__ == "__main__":
    main()
