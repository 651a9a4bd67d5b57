"""What `covey list` and `covey describe` say."""

import pytest

from covey.config.catalogue import ALGORITHMS, ENVIRONMENTS
from covey.errors import UserError
from covey.show.describe import describe_name, list_catalogue, traits_table


def rows(page: str) -> dict[str, list[str]]:
    """The words of each line by its first."""
    return {words[0]: words[1:] for words in map(str.split, page.splitlines()) if words}


# A name that the list leaves out.
def test_the_list_is_complete():
    assert ALGORITHMS.keys() | ENVIRONMENTS.keys() <= rows(list_catalogue()).keys()


# A setting left out, or shown with another default than the one that runs.
def test_an_algorithm():
    page = describe_name("vdn")
    lines = rows(page)
    assert "Rashid" in page
    assert lines["gamma"] == ["0.99", *["a", "number", "between", "0", "and", "1"]]
    assert lines["mixer"][0] == "sum"  # others may be known, where more algorithms have been loaded
    assert {"monotonic", "sum", "independent", "file.py:Name"} <= set(lines["mixer"][1:])
    assert lines["optimiser.lr.value"][0] == "0.0005"
    assert "mixer.embed" not in lines
    assert "mixer.embed" in rows(describe_name("qmix"))
    maps = ("2s3z", "3m", "3s5z", "5m_vs_6m", "8m", "MMM2", "corridor")
    battles = ", ".join(f"skirmish/{name}" for name in maps)
    worlds = f"predator_prey, pursuit, reference, {battles}, speaker_listener, spread, tag"
    assert lines["Tuned"] == ["for:", *worlds.split()]


# A name that cannot be described.
@pytest.mark.parametrize("name", [*ALGORITHMS, *ENVIRONMENTS])
def test_everything_can_be_described(name):
    assert describe_name(name).startswith(f"{name}: ")


# Sizes of another world than the default one.
def test_an_environment():
    lines = rows(describe_name("spread"))
    assert lines["env.agents"] == ["3", *["a", "whole", "number", "between", "1", "and", "4,096"]]
    assert lines["teams"] == ["team", "(3)"]
    assert lines["observation"][0] == "18"
    assert lines["state"][0] == "54"
    assert lines["action"] == ["one", "of", "5"]
    assert lines["horizon"] == ["25"]
    assert lines["agents"] == ["agent_0,", "agent_1,", "agent_2"]


# A user's own class that only a catalogue name could describe.
def test_a_users_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from covey.algorithms.random import Random\n"
        "class Mine(Random):\n    'Mine alone.'\n    size: int = 3\n    must: float = 1.0\n"
    )
    page = describe_name(f"{tmp_path}/mine.py:Mine")
    assert "Mine alone." in page
    assert rows(page)["size"] == ["3", "a", "whole", "number"]
    assert "Tuned for: nothing yet" in page


# A trait shown of the class where the entry's own settings change it.
def test_traits():
    table = rows(traits_table())
    assert table["iql"][0] == "decentralised"
    assert table["qmix"][:3] == ["centralised", "off-policy", "discrete"]


# A mistyped name that is not helped.
def test_an_unknown_name():
    with pytest.raises(UserError, match=r"^unknown name 'spred' \(did you mean spread\?\): `covey list`"):
        describe_name("spred")
