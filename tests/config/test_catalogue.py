"""Names: covey's, a user's, and unknown ones."""

import subprocess
import sys

import pytest

from covey.config import catalogue
from covey.config.catalogue import (
    ALGORITHMS,
    ENVIRONMENTS,
    Entry,
    algorithms_by_team,
    class_path,
    find,
    load_class,
    resolve,
)
from covey.errors import UserError


def sentence(call, *args) -> str:
    with pytest.raises(UserError) as error:
        call(*args)
    return str(error.value)


# Catches a class that is renamed or moved without its entry.
@pytest.mark.parametrize(
    "entry", [*ALGORITHMS.values(), *ENVIRONMENTS.values()], ids=lambda entry: entry.path
)
def test_every_entry_leads_to_something_that_can_be_called(entry):
    assert callable(load_class(entry))
    assert entry.summary


# Catches an import of JAX in the catalogue or in the list: `covey --help` would take seconds.
def test_names_and_the_list_need_no_jax():
    code = (
        "import sys; from covey.config import catalogue, fitting, grid, options, paths, renamed;"
        "from covey.show import describe; describe.list_catalogue();"
        "catalogue.find('algorithm', 'qmix'); assert not {'jax', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Catches mistyped names that get another sentence than these.
@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("algorithm", "qmx", "unknown algorithm 'qmx' (did you mean qmix?): `covey list` shows them all"),
        (
            "environment",
            "spred",
            "unknown environment 'spred' (did you mean spread?): `covey list` shows them all",
        ),
        ("environment", "climbing", "unknown environment 'climbing' (did you mean matrix/climbing?)"),
        ("algorithm", "zzz", "unknown algorithm 'zzz': `covey list` shows them all"),
        ("algorithm", "spread", "spread is no algorithm: the algorithm comes first, then the environment"),
        ("algorithm", "mine.py", "mine.py is a file: name the algorithm in it too, as mine.py:Name"),
    ],
)
def test_unknown_names(kind, name, said):
    assert sentence(find, kind, name).startswith(said)


# Catches prefixes that stop being understood.
def test_other_ways_to_name():
    assert find("environment", "pz:mpe2.simple_spread_v3").fixed == {"module": "mpe2.simple_spread_v3"}
    assert find("algorithm", "mine.py:Mine") == Entry("mine.py:Mine")
    assert algorithms_by_team("adversary=qmix+agent=a/b.py:Mine") == {
        "adversary": "qmix",
        "agent": "a/b.py:Mine",
    }
    assert algorithms_by_team("qmix") == {"": "qmix"}
    assert resolve("covey.parts:Adam").__name__ == "Adam"


# Catches a user's file that is loaded twice (two classes of one name), or not again after an edit.
def test_a_file_is_a_module_until_it_is_edited(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    value = 1\n")
    first = resolve("mine.py:Mine")
    assert first is resolve(str(file) + ":Mine")
    assert class_path(first) == "mine.py:Mine"
    file.write_text("class Mine:\n    value = 2\n")
    assert resolve("mine.py:Mine").value == 2


# Catches a user's file that is wrong, and a traceback instead of these.
def test_files_that_do_not_hold_what_they_should(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("class Mixer: ...\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    assert sentence(resolve, "gone.py:Mixer") == f"gone.py:Mixer: there is no file {tmp_path}/gone.py"
    assert sentence(resolve, "mine.py:Mixr") == "mine.py:Mixr: mine.py has no 'Mixr' (did you mean Mixer?)"
    before = set(sys.modules)
    said = "broken.py:X: importing broken.py failed with ZeroDivisionError: division by zero"
    assert sentence(resolve, "broken.py:X") == said
    assert not [name for name in set(sys.modules) - before if name.startswith(catalogue.FILE_MODULE)]
    said = (
        "no.such.package:X: importing no.such.package failed with ModuleNotFoundError: No module named 'no'"
    )
    assert sentence(resolve, "no.such.package:X") == said
