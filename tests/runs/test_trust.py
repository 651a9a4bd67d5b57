"""A stranger's run folder executes nothing and reads nothing outside it, whatever stands in it."""

import json
import shutil
from pathlib import Path

import pytest

import covey
from covey import yaml_text
from covey.cli import main
from covey.config import trust
from covey.config.config import Config
from covey.errors import UserError
from covey.runs import provenance
from covey.runs.folder import RunFolder
from covey.runs.run import copy_user_files

CODE = """
from pathlib import Path

from covey.networks import SumMixer

Path({mark!r}).write_text("executed")


class Mine(SumMixer):
    pass
"""


@pytest.fixture
def mark(tmp_path, monkeypatch) -> Path:
    """The file that any code of the folder writes; this user's key lies in a folder of the test's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "executed"


@pytest.fixture
def own(tmp_path, mark) -> Path:
    """A run that this user made with a file of theirs: all of its folder that is read before weights are."""
    (tmp_path / "mine.py").write_text(CODE.format(mark=str(mark)))
    folder = RunFolder.new(tmp_path / "own", "unused")
    config = Config.parse("qmix", "two_step", ["preset=original", "mixer=mine.py:Mine"])
    copy_user_files(config, folder).to_yaml(folder.config)
    provenance.write_provenance(
        folder, "finished", signature=trust.sign(folder.path, folder.config.read_text())
    )
    folder.last.write_bytes(b"no weights")
    mark.unlink()
    return folder.path


def change(folder: Path, **fields) -> Path:
    tree = yaml_text.read_file(folder / "config.yaml")
    for path, value in fields.items():
        part = tree
        *outer, last = path.split("__")
        for name in outer:
            part = part[name]
        part[last] = value
    (folder / "config.yaml").write_text(yaml_text.to_text(tree))
    return folder


def is_read(folder: Path) -> bool:
    try:
        Config.from_yaml(folder / "config.yaml").build()
    except UserError:
        return False
    return True


# Catches an own run that asks for trust: where it was made, moved, copied, and with another gamma.
def test_ones_own_run_runs(own, mark, tmp_path):
    assert is_read(own) and mark.exists()
    assert is_read(change(shutil.copytree(own, tmp_path / "copy"), learners__team__gamma=0.5))
    assert is_read(own.rename(tmp_path / "moved"))
    assert oct((tmp_path / "settings/covey/run.key").stat().st_mode)[-3:] == "600"


# Catches a run without code of anybody's that asks for trust.
def test_a_run_without_code_needs_no_trust(own, mark):
    change(own, learners__team__mixer={"name": "sum"})
    (own / "run.json").unlink()
    assert is_read(own) and not mark.exists()


def a_changed_file(folder):
    with open(folder / "files" / "mine.py", "a") as file:
        file.write("\n")


def another_file_beside_it(folder):
    (folder / "files" / "numpy.py").write_text("1 / 0")


def no_run_json(folder):
    (folder / "run.json").unlink()


def a_forged_signature(folder):
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(content | {"signature": "0" * 64}))


def a_signature_of_no_text(folder):
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(content | {"signature": [1]}))


def run_json_of_a_list(folder):
    (folder / "run.json").write_text("[]")


def run_json_in_pieces(folder):
    (folder / "run.json").write_bytes((folder / "run.json").read_bytes()[:-40])


def a_link_for_a_file(folder):
    content = (folder / "files" / "mine.py").read_text()
    (folder.parent / "elsewhere.py").write_text(content)
    (folder / "files" / "mine.py").unlink()
    (folder / "files" / "mine.py").symlink_to(folder.parent / "elsewhere.py")


def another_key(folder):
    (folder.parent / "settings" / "covey" / "run.key").unlink()


def a_key_that_all_can_read(folder):
    (folder.parent / "settings" / "covey" / "run.key").chmod(0o644)


def changed(**fields):
    return lambda folder: change(folder, **fields)


EVIL = "files/mine.py:Mine"
HOSTILE = {
    "a changed file": a_changed_file,
    "another file beside it": another_file_beside_it,
    "no run.json": no_run_json,
    "a forged signature": a_forged_signature,
    "a signature that is no text": a_signature_of_no_text,
    "run.json is a list": run_json_of_a_list,
    "run.json is cut short": run_json_in_pieces,
    "a link": a_link_for_a_file,
    "another user's key": another_key,
    "a key that all can read": a_key_that_all_can_read,
    "an algorithm": changed(algorithm=EVIL),
    "a learner": changed(learners__team__name=EVIL),
    "a world": changed(environment=EVIL),
    "a part of a part": changed(learners__team__target={"name": EVIL}),
    "an installed module": changed(learners__team__optimiser={"name": "this:s"}),
    "a function of covey's": changed(environment="covey.api:train"),
    "a function of Python's": changed(environment="os:system"),
    "another package's world": changed(environment="pz:antigravity"),
    "a file outside": changed(learners__team__mixer={"name": "../mine.py:Mine"}),
    "a file by its whole path": changed(learners__team__mixer={"name": "/tmp/mine.py:Mine"}),
    "a list with a file": changed(env={"order": ["a", EVIL]}),
    "data outside": changed(environment="skirmish/3m", env={"data": "/etc/passwd.yaml"}),
    "ground outside": changed(environment="skirmish/3m", env={"terrain": "../../secret.yaml"}),
    "an opponent outside": changed(algorithm="a=qmix+b=run:/somewhere"),
    "a pool outside": changed(algorithm="a=qmix+b=pool:self,/somewhere"),
    "a pool of one's own name": changed(learners__team__name="pool:self"),
    "weights of another run": changed(source="/somewhere"),
}


# Catches code that runs, or a file that is read, from a folder that this user did not make.
@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE)
def test_a_strangers_folder_executes_nothing(own, mark, attack):
    attack(own)
    with pytest.raises(UserError, match=r"and you did not make this run here: .* --trust"):
        Config.from_yaml(own / "config.yaml").build()
    assert not mark.exists()


# Catches code that the spec of a world in run.json names.
def test_a_spec_names_no_code(own, mark):
    content = json.loads((own / "run.json").read_text()) | {"spec": {"layouts": [{"name": EVIL}]}}
    (own / "run.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="where no code belongs"):
        provenance.read_spec(RunFolder(own))
    assert not mark.exists()


# Catches a YAML file that builds objects.
def test_yaml_builds_nothing(own, mark):
    with open(own / "config.yaml", "a") as file:
        file.write(f'\nnotes: !!python/object/apply:os.system ["touch {mark}"]\n')
    with pytest.raises(UserError, match="not valid YAML"):
        Config.from_yaml(own / "config.yaml")
    assert not mark.exists()


# Catches a command that reads a run behind the door's back, and one that heeds no --trust.
def test_no_command_executes_a_strangers_code(own, mark, capsys):
    a_changed_file(own)
    run = str(own)
    commands = (
        ["eval", run],
        ["watch", run],
        ["resume", run],
        ["compare", run, run],
        ["crossplay", run, run],
        ["eval", run, "--versus", run],
        ["train", "--config", f"{run}/config.yaml", "--out=new"],
        ["train", "qmix", "adversary", f"agent=run:{run}", "--out=new"],
    )
    for command in commands:
        assert main(command) == 2, command
        assert "--trust" in capsys.readouterr().err, command
    for load in (covey.load, lambda path: covey.Run(path).policy(), covey.watch, covey.evaluate):
        with pytest.raises(UserError, match="trust=True"):
            load(own)
    main(["report", run, "--out=page.html"])
    assert not mark.exists()
    assert main(["eval", run, "--trust"]) == 2  # it has no weights; its code was run
    assert mark.exists() and "damaged" in capsys.readouterr().err
    with pytest.raises(UserError, match="trust=True"):
        covey.load(own)  # trust lasts for one call


# Catches a module in a stranger's folder that is found because the user works in that folder.
def test_a_module_in_the_folder_is_not_found_from_within(own, mark, monkeypatch):
    change(own, learners__team__mixer={"name": "helpful:Mine"})
    content = json.loads((own / "run.json").read_text()) | trust.sign(own, (own / "config.yaml").read_text())
    (own / "run.json").write_text(json.dumps(content))
    shutil.copy(own / "files" / "mine.py", own / "helpful.py")
    monkeypatch.chdir(own)
    assert not is_read(own) and not mark.exists()
