"""Write the tables of docs/worlds/skirmish.md from the world's data and settings, and from recorded results.

Run it by `python -m docs.figures.skirmish`. Each table stands between two markers of its name.
"""

import json
import runpy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.skirmish_calibration import REAL, distance_text, mean_text
from benchmarks.skirmish_chase import PAPER, text

from covey.config.signatures import signature_of
from covey.environments.skirmish.maps import Group, find_map, map_names
from covey.environments.skirmish.rewards import max_reward
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.units import UnitTable, UnitType, read_units

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/worlds/skirmish.md"
CALIBRATION = ROOT / "benchmarks/results/skirmish-calibration.json"
RULES = ROOT / "benchmarks/results/skirmish-rules.json"
CHASE = ROOT / "benchmarks/results/skirmish-chase.json"
WINS = ROOT / "benchmarks/results/skirmish-wins.json"
SMAC_SIZES = ROOT / "tests/environments/skirmish/sizes.py"

SETTINGS = {
    "map": "the map; `skirmish/3m` sets it",
    "enemy": "who commands the enemies: `nearest`, `weakest`, `kiting`, `policy` or `mine.py:f` instead",
    "allies": "another team: `{marine: 3}` or `[[marine, 3, 9, 16]]`",
    "enemies": "the same for the enemies",
    "terrain": "another ground: a name, rows, or `mine.yaml`",
    "order": "what enemies that attack-move do: `[x, y]`, two such points, `units` or `stand`",
    "data": "the table of units: `lotv`, `liberty` or `mine.yaml`",
    "jitter": "start places move at random by up to so much along both axes; SMAC has none",
    "obs_all_health": "observe the health and shield of others",
    "obs_own_health": "observe one's own",
    "obs_heal_bits": "mark a medic's rows of foes by the friends that it can heal, as SMAC does",
    "obs_aligned_types": "enemies' types in the allies' order; SMAC reverses stalkers and zealots",
    "obs_last_action": "observe the last actions of friends in sight",
    "obs_pathing_grid": "observe whether eight points around can be walked on",
    "obs_terrain_height": "observe the height of these points and one's own",
    "obs_instead_of_state": "no state: mixers and critics get all observations side by side",
    "obs_timestep_number": "observe the step, divided by the limit",
    "obs_own_pos": "SMACv2: observe one's own place",
    "use_unit_ranges": "SMACv2: sight and order range by type",
    "min_attack_range": "SMACv2: the least order range with `use_unit_ranges`",
    "conic_fov": "SMACv2: agents see within an angle, and actions turn it",
    "num_fov_actions": "SMACv2: the number of directions with `conic_fov`",
    "use_state_agent": "the state of MAPPO's authors, one for each agent (`critic_input=agent_state`)",
    "state_last_action": "the state has the last actions",
    "state_timestep_number": "the state has the step, divided by the limit",
    "reward_sparse": "1 for a win and −1 for a defeat instead, scaled like the rest",
    "reward_only_positive": "false: own losses cost half as much, and regeneration is negative",
    "reward_regeneration": "false, as in SMACv2: a step in which enemies regain more than they lose pays 0",
    "timeout": "`terminal`: the limit is an end, as for PyMARL ([which to use](#timeouts))",
    "horizon": "another limit of steps",
}

NUMBERS = {  # the rows of the table of units
    "race": "race",
    "attributes": "attributes",
    "health": "health",
    "shield": "shield",
    "armour": "armour",
    "damage": "damage of a hit",
    "bonus": "more against",
    "hits": "hits of an attack",
    "hit_interval": "second hit after, s",
    "period": "period, s",
    "windup": "wind-up, s",
    "beam": "then a beam, s",
    "backswing": "backswing, s",
    "range": "range, edge to edge",
    "slop": "slop",
    "scan": "scan",
    "missile": "missile's speed",
    "splash": "splash",
    "hits_air": "hits air",
    "speed": "speed, a second (half of it a step)",
    "radius": "radius, for ranges",
    "separation": "radius, for collisions",
    "flies": "flies",
    "walks_over": "walks over others",
    "heals": "heals, a second",
    "health_rate": "energy for a health",
    "energy": "energy at first",
    "energy_limit": "most energy",
    "energy_rate": "energy, a second",
    "cooldown_scale": "divisor in the state",
    "sight": "sight (SMACv2)",
}
ARMED = ("hits", "windup", "backswing", "slop", "hits_air")  # rows that say nothing of who has no weapon


def table(header: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sizes() -> str:
    """Return the sizes of all maps, ours beside SMAC's."""
    theirs = runpy.run_path(str(SMAC_SIZES))["SIZES"]
    names = ("agents", "enemies", "limit", "observation", "state", "actions", "most reward")
    ours = {name: size(name) for name in map_names()}
    beside = lambda a, b: f"{a} {'=' if a == b else '≠'} {b}"
    row = lambda name: [f"`{name}`", who(name), *map(beside, ours[name], theirs[name])]
    same = sum(ours[name] == theirs[name] for name in ours)
    told = table(("map", "", *names), map(row, ours))
    return f"{told}\n\nThe same on {same} of {len(theirs)} maps."


def size(name: str) -> tuple[int, ...]:
    env = Skirmish(name)
    roster = env.field.roster
    assert roster.kinds is not None
    most = max_reward(env.view.ranks, roster.stats(roster.kinds[:, None]), 1)
    spec = env.spec
    return (
        len(spec.names),
        roster.enemies,
        spec.horizon,
        spec.features,
        spec.state,
        spec.actions,
        int(most[0]),
    )


def who(name: str) -> str:
    battle_map = find_map(name)
    return f"{team(battle_map.allies)} against {team(battle_map.enemies)}"


def team(groups: Sequence[Group]) -> str:
    counts = Counter()
    for group in groups:
        counts[words(group.unit)] += group.count
    plural = lambda unit: unit.replace("us", "i") if unit.endswith("us") else f"{unit}s"
    return ", ".join(f"{n} {unit if n == 1 else plural(unit)}" for unit, n in counts.items())


def words(name: str) -> str:
    return name.replace("_", " ")


def units() -> str:
    """Return every number of every unit, with its source."""
    data = read_units("lotv")
    row = lambda name: [
        NUMBERS[name],
        *(cell(data, unit, name) for unit in data.units),
        str(data.sources[name]),
    ]
    names = [f.name for f in fields(UnitType) if f.name != "name"]
    assert set(names) == set(NUMBERS), "NUMBERS has a row for each field of UnitType"
    return table(("", *map(words, data.units), "source"), map(row, NUMBERS))


def cell(data: UnitTable, name: str, key: str) -> str:
    unit = data.units[name]
    if key in ARMED and not unit.damage:
        return "–"
    text = value(getattr(unit, key))
    if f"{name}.{key}" in data.sources:
        text += f" ({data.sources[f'{name}.{key}']})"
    enemy = data.enemies.get(name, unit)
    if getattr(enemy, key) != getattr(unit, key):
        text += f"; enemies {value(getattr(enemy, key))} (game)"
    return text


def value(x: Any) -> str:
    if isinstance(x, bool):
        return "yes" if x else "–"
    if isinstance(x, str):
        return x or "–"
    if isinstance(x, tuple):
        return ", ".join(x)
    if isinstance(x, int | float):
        return f"{x:g}" if x else "–"
    return ", ".join(f"{kind} +{amount:g}" for kind, amount in x.items()) or "–"


def liberty() -> str:
    """Return what Wings of Liberty's table has otherwise."""
    ours = read_units("lotv")
    theirs = read_units("liberty")
    rows = (
        [words(name), NUMBERS[key], value(getattr(ours.units[name], key)), value(getattr(unit, key))]
        for name, unit in theirs.units.items()
        for key in NUMBERS
        if getattr(unit, key) != getattr(ours.units[name], key)
    )
    return table(("unit", "number", "`lotv`", "`liberty`"), rows)


def settings() -> str:
    """Return every setting with its default."""
    parameters = signature_of(Skirmish)
    missing = [name for name in parameters if name not in SETTINGS]
    assert not missing, f"SETTINGS says nothing of {', '.join(missing)}"
    row = lambda name: [f"`env.{name}`", default(parameters[name].default), SETTINGS[name]]
    return table(("setting", "default", ""), map(row, parameters))


def default(x: Any) -> str:
    plain = {None: "the map's", True: "true", False: "false"}
    if x is None or isinstance(x, bool):
        return plain[x]
    return f"{x:g}" if isinstance(x, int | float) else str(x) if isinstance(x, str) else "attack_move"


def calibration() -> str:
    """Return the recorded results of random play beside the real ones."""
    results = json.loads(CALIBRATION.read_text(encoding="utf-8"))["results"]

    def row(name: str) -> Iterator[str]:
        ours = results[name]["ours"]
        distance = results[name]["distance"]
        yield name
        for field, real, digits in (("length", REAL[name].length, 1), ("total", REAL[name].total, 2)):
            yield from (str(real), mean_text(ours[field], digits), distance_text(distance[field]))
        yield REAL[name].source
        yield results[name]["verdict"]

    names = ("length, real", "ours", "difference", "return, real", "ours", "difference", "real: from", "")
    told = table(("map", *names), ([*row(name)] for name in results))
    agree = sum(result["verdict"] == "agrees" for result in results.values())
    return f"{told}\n\n**{agree} of {len(results)} maps agree.**".replace("-", "−").replace("−−−", "---")


def rules() -> str:
    """Return the recorded results of random play without single rules."""
    results = json.loads(RULES.read_text(encoding="utf-8"))["results"]
    maps = [*next(iter(results.values()))]
    text = lambda x: f"{mean_text(x['length'], 1)}; {mean_text(x['total'], 2)}"
    return table(("length; return", *maps), ([name, *map(text, x.values())] for name, x in results.items()))


def chase() -> str:
    """Return the recorded wins of the heuristic of SMAC's paper; the first start places are the world's."""
    record = json.loads(CHASE.read_text(encoding="utf-8"))
    rows = [
        ["SMAC's paper, build 4.6.2 (from memory)", *map(str, PAPER.values())],
        *([name, *(text(share, 200) for share in wins.values())] for name, wins in record["results"].items()),
    ]
    rows[1][0] = f"**{rows[1][0]}**"
    return table(("places", *PAPER), rows)


def wins() -> str:
    """Return the recorded wins of every system on every map, and the way to 90 %."""
    rows = json.loads(WINS.read_text(encoding="utf-8"))["results"]
    systems = [*dict.fromkeys(row["system"] for row in rows)]
    maps = [*dict.fromkeys(row["map"] for row in rows)]
    found = {(row["map"], row["system"]): row for row in rows}

    def pivot(text: Callable[[dict[str, str]], str]) -> str:
        of = lambda name, system: text(found[name, system]) if (name, system) in found else ""
        lines = ([f"`{name}`", *(of(name, system) for system in systems)] for name in maps)
        return table(("map", *(f"`{system}`" for system in systems)), lines)

    def arrived(row: dict[str, str]) -> str:
        if not row["seconds to 90 %"]:
            return "–"
        steps = row["thousand steps to 90 %"].partition(" ")[0]
        seconds = row["seconds to 90 %"].partition(" ")[0]
        every = len(set(row["there"].split(" of "))) == 1
        return f"{steps} k, {seconds} s" + ("" if every else f" ({row['there']})")

    share = lambda row: f"{row['wins, %: median']}; {row['IQM [95 %]']}; {row['thousand steps']} k"
    first = "Wins of the last policies in percent, 64 greedy battles a seed: median; IQM [95 %]; steps."
    then = "Steps of a seed and seconds until 90 %, medians of the seeds that came there:"
    return f"{first}\n\n{pivot(share)}\n\n{then}\n\n{pivot(arrived)}"


def with_tables(page: str) -> str:
    """Return a page with the newest tables between their markers."""
    for make in (sizes, units, liberty, settings, rules, calibration, chase, wins):
        begin = f"<!-- {make.__name__}: begin -->"
        end = f"<!-- {make.__name__}: end -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"the page has no markers {begin} and {end}"
        page = f"{before}{begin}\n{make()}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
