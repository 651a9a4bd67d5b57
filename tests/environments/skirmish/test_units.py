"""The table of units: sources, the two tables, a user's own, and what is refused."""

from dataclasses import MISSING, fields

import pytest

from covey import yaml_text
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.units import DATA, TABLES, UnitType, read_units
from covey.errors import SettingError, UserError

KINDS = {"game", "map", "smac", "smacv2", "guess"}


def test_every_number_has_a_source():
    # Would break: a number in a table that `sources` does not explain, or explains with an unknown word.
    for name in TABLES:
        table = read_units(name)
        written = yaml_text.read_file(DATA / f"{name}.yaml")
        for unit, values in (*written["units"].items(), *written.get("enemies", {}).items()):
            for key in values:
                assert table.source(unit, key) in KINDS, f"{name}: {unit}.{key}"
        defaults = [f.name for f in fields(UnitType) if f.default is not MISSING]
        assert all(table.source("marine", key) in KINDS for key in defaults)
        for place in table.sources:
            unit, _, key = place.rpartition(".")
            assert key in {f.name for f in fields(UnitType)}
            assert not unit or unit in table.units


def test_the_game_s_numbers():
    # Would break: a number that is not the one of the game's data.
    units = read_units("lotv").units
    body = {
        name: (u.health, u.shield, u.armour, u.speed, u.radius, u.separation) for name, u in units.items()
    }
    assert body == {
        "marine": (45, 0, 0, 2.25, 0.375, 0.375),
        "marauder": (125, 0, 1, 2.25, 0.5625, 0.5),
        "medivac": (150, 0, 1, 2.75, 0.75, 0.75),
        "stalker": (80, 80, 1, 2.953, 0.625, 0.625),
        "zealot": (100, 50, 1, 2.25, 0.5, 0.375),
        "colossus": (200, 150, 1, 2.25, 1, 0.75),
        "zergling": (35, 0, 0, 2.953, 0.375, 0.375),
        "baneling": (30, 0, 0, 2.5, 0.375, 0.375),
        "hydralisk": (80, 0, 0, 2.25, 0.625, 0.5),
        "spine_crawler": (300, 0, 2, 0, 0.875, 0.875),
    }
    weapon = {
        name: (u.damage, u.period, u.windup, u.backswing, u.range, u.missile) for name, u in units.items()
    }
    assert weapon == {
        "marine": (6, 0.8608, 0.05, 0.75, 5, 0),
        "marauder": (10, 1.5, 0, 0, 6, 20),
        "medivac": (0, 0, 0, 0, 4, 0),
        "stalker": (13, 1.87, 0.167, 0.5, 6, 18.75),
        "zealot": (8, 1.2, 0, 0.5, 0.1, 0),
        "colossus": (10, 1.5, 0.083, 0.5, 7, 0),
        "zergling": (5, 0.696, 0.167, 0.5, 0.1, 0),
        "baneling": (20, 0, 0, 0, 0.25, 0),
        "hydralisk": (12, 0.825, 0.208, 0.5, 5, 40),
        "spine_crawler": (25, 1.85, 0.333, 0.5, 7, 0),
    }
    extra = {
        (a, b): units[a].damage_to(units[b]) - units[a].damage
        for a in units
        for b in units
        if units[a].damage_to(units[b]) != units[a].damage
    }
    armoured = [name for name in units if "armoured" in units[name].attributes]
    assert armoured == ["marauder", "medivac", "stalker", "colossus", "spine_crawler"]
    light = [name for name in units if "light" in units[name].attributes]
    assert light == ["marine", "zealot", "zergling", "hydralisk"]
    grounded = [name for name in armoured if name != "medivac"]
    expected = {("marauder", b): 10 for b in grounded}
    expected |= {("stalker", b): 5 for b in armoured}
    expected |= {("spine_crawler", b): 5 for b in grounded}
    expected |= {("colossus", b): 5 for b in light}
    expected |= {("baneling", b): 15 for b in light}
    expected |= {(a, "medivac"): -units[a].damage for a in units if not units[a].hits_air and units[a].damage}
    assert extra == expected
    assert [name for name in units if units[name].hits_air] == ["marine", "stalker", "hydralisk"]


def test_enemies_are_the_game_s_own_units():
    # Would break: enemies with the bodies that SMAC's maps give to allies; a user's change that misses them.
    table = read_units("lotv")
    assert table.unit("hydralisk", "enemies", True).health == 90
    assert table.unit("medivac", "enemies", True).speed == 2.5
    for name in set(table.units) - {"hydralisk", "medivac"}:
        assert table.unit(name, "enemies", True) == table.unit(name, "allies")
    assert read_units("liberty").unit("hydralisk", "enemies", True).health == 90


def test_liberty_differs_where_it_should():
    # Would break: another table that changes more than it says, or less.
    lotv = read_units("lotv").units
    liberty = read_units("liberty").units
    assert list(lotv) == list(liberty)
    changed = {
        (name, f.name): getattr(liberty[name], f.name)
        for name in lotv
        for f in fields(UnitType)
        if getattr(lotv[name], f.name) != getattr(liberty[name], f.name)
    }
    assert changed == {
        ("stalker", "damage"): 10,
        ("stalker", "bonus"): {"armoured": 4},
        ("stalker", "period"): 1.44,
        ("stalker", "scan"): 5,
        ("colossus", "damage"): 20,
        ("colossus", "bonus"): {},
        ("colossus", "period"): 2.2,
        ("colossus", "range"): 6,
        ("colossus", "scan"): 5,
        ("spine_crawler", "period"): 1.6,
        ("spine_crawler", "scan"): 5,
        ("hydralisk", "period"): 0.83,
        ("hydralisk", "scan"): 5,
        ("marine", "scan"): 5,
        ("marauder", "scan"): 5,
    }
    assert Skirmish("2s3z", data="liberty").field.roster.damage.tolist() == [[14, 10], [8, 8]]


WALL = (
    "{race: terran, attributes: [], health: 5, speed: 0, radius: 1, separation: 1, range: 0, scan: 0, "
    "cooldown_scale: 1, sight: 1}"
)


def write(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_a_table_of_one_s_own(tmp_path):
    # Would break: a table with `base` that needs every number, or forgets the base's units and sources.
    own = f"base: lotv\nsources: {{marine.health: guess}}\nunits: {{marine: {{health: 55}}, wall: {WALL}}}"
    path = write(tmp_path, own)
    table = read_units(path)
    assert table.units["marine"].health == 55
    assert table.units["marine"].damage == 6
    assert table.units["wall"].damage == 0
    assert table.units["zealot"] == read_units("lotv").units["zealot"]
    assert table.source("marine", "health") == "guess"
    assert table.source("zealot", "health") == "game"
    env = Skirmish("3m", data=path)
    assert float(env.field.roster.stats(env.field.roster.kinds[:, None]).health[0, 0]) == 55


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("units: 3", "holds no table of units: give it 'units', and 'base', 'sources' and 'enemies'"),
        ("units: {}\ncolour: red", "holds no table of units: give it 'units'"),
        ("base: lotv\nunits: {marine: {healht: 5}}", "gives marine the unknown field 'healht': remove it"),
        ("units: {wall: {race: terran}}", "gives wall no attributes, health, speed, radius, .*: add it"),
        (
            "base: lotv\nunits: {marine: {health: many}}",
            "gives marine the health many: make it a number of 1 or more",
        ),
        (
            "base: lotv\nunits: {marine: {health: 0}}",
            "gives marine the health 0: make it a number of 1 or more",
        ),
        (
            "base: lotv\nunits: {marine: {range: -1}}",
            "gives marine the range -1: make it a number of 0 or more",
        ),
        (
            "base: lotv\nunits: {marine: {hits: 1.5}}",
            "gives marine the hits 1.5: make it a number of 1 or more",
        ),
        ("base: lotv\nunits: {marine: {flies: 1}}", "gives marine the flies 1: make it true or false"),
        (
            "base: lotv\nunits: {marine: {splash: ring}}",
            "gives marine the splash ring: make it '' or 'line' or 'burst'",
        ),
        ("base: lotv\nunits: {marine: {bonus: 5}}", "gives marine the bonus 5: make it numbers by attribute"),
        (
            "base: lotv\nunits: {marine: {attributes: light}}",
            "gives marine the attributes light: make it a list",
        ),
        ("base: lotv\nunits: {marine: 5}", "gives marine 5: give it fields, as"),
        ("base: moon\nunits: {}", "has the unknown base moon: make it lotv or liberty"),
        ("base: [lotv]\nunits: {}", r"has the unknown base \['lotv'\]: make it lotv or liberty"),
        ("base: lotv\nsources: 5\nunits: {}", "holds no table of units: give it 'units'"),
    ],
)
def test_a_bad_table_is_refused_in_a_sentence(tmp_path, text, sentence):
    # Would break: a stack trace; a number that goes through and makes a battle of NaNs.
    path = write(tmp_path, text)
    with pytest.raises(SettingError, match=r"^data=\S*mine\.yaml " + sentence):
        read_units(path)


def test_no_table_is_refused_in_a_sentence(tmp_path):
    # Would break: a typing error in a name that ends in a missing file's stack trace.
    with pytest.raises(
        SettingError, match=r"^data=lotw is no table of units: set lotv or liberty, or a file"
    ):
        Skirmish("3m", data="lotw")
    with pytest.raises(UserError, match=r"mine\.yaml"):
        read_units(str(tmp_path / "mine.yaml"))
    with pytest.raises(UserError, match=r"mine\.yaml"):
        read_units(write(tmp_path, "a: [1,"))
    path = write(tmp_path, f"units: {{wall: {WALL}}}")
    with pytest.raises(SettingError, match=r"^allies names no unit of the table: 'marine'"):
        Skirmish("3m", data=path)
