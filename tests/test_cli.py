"""Bad input: one clear sentence that names the option and the remedy, exit status 2, nothing lost."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from covey import cli
from covey.cli import main, reference
from covey.cli.declaration import declarations
from covey.commands import COMMANDS, command
from covey.ranges import Count, Index

RUN = [
    "two_step",
    "agent=feed_forward",
    "agent.hidden=4",
    "mixer.embed=2",
    "experience.capacity=64",
    "experience.batch_size=4",
]
SHORT = ["--seeds=1", "--steps=64", "--report-every=32", "--eval-episodes=2", "--quiet"]


def refused(capsys, *arguments: str) -> str:
    """Return the sentence: one line, with status 2 and no traceback."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("covey: ") and said.count("\n") == 1 and "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "qmix", *RUN, *SHORT, f"--out={path}"]) == 0
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian", "qmix", "spread"], r"no command 'trian'.*train"),
        (["train", "qmxi", "spread"], r"unknown algorithm 'qmxi'.*qmix.*covey list"),
        (["train", "qmix", "sprad"], r"unknown environment 'sprad'.*spread.*covey list"),
        (["train", "qmix"], r"no environment is named"),
        (["train", "spread", "qmix"], r"algorithm comes first"),
        (["train", "qmix", "spread", "gama=.9"], r"gama.*gamma"),
        (["train", "qmix", "spread", "mixer.embd=9"], r"mixer\.embd.*mixer\.embed"),
        (["train", "qmix", "spread", "env.agnets=9"], r"agnets.*env\.agents"),
        (["train", "qmix", "spread", "gamma=high"], r"gamma.*number.*high"),
        (["train", "qmix", "spread", "double=yes please"], r"double.*true or false"),
        (["train", "qmix", "spread", "env.agents=2.5"], r"env\.agents.*whole number"),
        (
            ["train", "qmix", "spread", "env.continuous=true"],
            r"qmix chooses among discrete actions.*env\.continuous",
        ),
        (["train", "qmix", "spread", "--seeds=0"], r"--seeds takes a whole number between 1 and 10,000"),
        (["train", "qmix", "spread", "--sede=1"], r"--sede.*did you mean --seed.*--help"),
        (["train", "qmix", "spread", "--device=tpu"], r"--device.*tpu.*cpu"),
        (["train", "team=qmix+prey=iql", "spread"], r"no team 'prey'.*team"),
        (["train", "nowhere.py:Mine", "spread"], r"no file .*nowhere\.py"),
        (["train", "qmix", "spread", "--config=nowhere.yaml"], r"nowhere\.yaml"),
        (
            ["train", "qmix", "spread", "experience.capacity=8"],
            r"experience\.capacity=8.*set experience\.capacity=",
        ),
        (
            ["train", "qmix", "spread", "experience.capacity=1000000000"],
            r"needs .* GB at least.*set experience\.capacity=\d+ or less",
        ),
        (["train", "qmix", "two_step", "experience.window=1"], r"window cuts episodes.*agent=feed_forward"),
        (["eval", "nowhere"], r"no run folder at nowhere"),
        (["resume", "nowhere"], r"no run folder at nowhere"),
        (["watch", "nowhere"], r"no run folder at nowhere"),
        (["watch", "nowhere", "--episodes=0"], r"--episodes.*at least 1"),
        (["watch", "nowhere", "--seed=first"], r"--seed.*at least 0, not 'first'"),
        (["describe", "qmxi"], r"qmxi.*qmix"),
    ],
)
def test_sentences(arguments, says, capsys, tmp_path, monkeypatch):
    """Every mistake gets its own sentence."""
    monkeypatch.chdir(tmp_path)
    assert re.search(says, refused(capsys, *arguments))
    assert not list(tmp_path.glob("runs/*")), "a refused run must leave nothing behind"


def test_out_holds_a_run(finished, capsys):
    """A second run into the same folder would lose the first."""
    before = (finished / "metrics.jsonl").read_bytes()
    assert "covey resume" in refused(capsys, "train", "qmix", *RUN, f"--out={finished}")
    assert (finished / "metrics.jsonl").read_bytes() == before


def test_unwritable_folder(capsys, tmp_path):
    """A file where a folder should be is unwritable even for root."""
    (tmp_path / "file").touch()
    assert "--out" in refused(capsys, "train", "qmix", *RUN, f"--out={tmp_path / 'file' / 'run'}")


@pytest.mark.slow
def test_truncated_checkpoint(finished, capsys, tmp_path):
    """Half a file: its directory is gone, or its checksums do not hold."""
    whole = (finished / "checkpoints" / "last.npz").read_bytes()
    broken = copied(finished, tmp_path, whole[: len(whole) // 2])
    assert re.search(r"last\.npz is damaged or cut short.*best\.npz", refused(capsys, "resume", str(broken)))


def test_flipped_bits(finished, capsys, tmp_path):
    """Only checksums find these."""
    whole = bytearray((finished / "checkpoints" / "last.npz").read_bytes())
    whole[len(whole) // 3] ^= 0xFF
    broken = copied(finished, tmp_path, bytes(whole))
    assert "damaged or cut short" in refused(capsys, "eval", str(broken))


@pytest.mark.slow
def test_foreign_checkpoint(finished, capsys, tmp_path):
    """Weights of another run in this folder: the first tensor that differs is named."""
    other = tmp_path / "other"
    assert (
        main(
            [
                "train",
                "qmix",
                *[word for word in RUN if "hidden" not in word],
                "agent.hidden=5",
                *SHORT,
                f"--out={other}",
            ]
        )
        == 0
    )
    broken = copied(finished, tmp_path, (other / "checkpoints" / "last.npz").read_bytes())
    said = refused(capsys, "resume", str(broken))
    assert re.search(r"another kind of run: .*agents.*float32\[", said)


def test_no_checkpoint_at_all(finished, capsys, tmp_path):
    """Any file that is not ours, pickles included, is read as data or not at all."""
    broken = copied(finished, tmp_path, b"\x80\x04K\x01.")
    assert "damaged" in refused(capsys, "eval", str(broken))


def test_world_of_another_shape(finished, capsys):
    said = refused(capsys, "eval", str(finished), "--env=spread")
    assert re.search(r"--env spread has 3 agents, and the run's own world 2 agents", said)


def test_watching(finished, capsys, tmp_path):
    # Would break: a film elsewhere, a return without its convention, a log that is not asked for.
    film = tmp_path / "films" / "film.gif"
    assert main(["watch", str(finished), f"--out={film}", "--episodes=3"]) == 0
    said = capsys.readouterr().out
    assert (
        film.read_bytes().startswith(b"GIF89a")
        and f"film: {film}" in said
        and "step" not in said.split("(")[0]
    )
    assert re.match(
        r"seed 0(, the median)?, 3 greedy episodes, nearest to the median of \d+: "
        r"team return [−.\d]+, [−.\d]+, [−.\d]+ \(team reward summed",
        said,
    )
    assert main(["watch", str(finished), f"--out={film}", "--episodes=1", "--log"]) == 0
    assert re.search(r"step +agent_0 +agent_1 +team\n +1 .*\n +2 .*\n +sum ", capsys.readouterr().out)
    assert [path.name for path in film.parent.iterdir()] == ["film.gif"]


def test_a_film_that_cannot_be(finished, capsys, tmp_path):
    """An ending nobody knows, a seed that was not trained, a folder that is a file."""
    assert re.search(
        r"--out film\.avi.*\.gif, \.mp4", refused(capsys, "watch", str(finished), "--out=film.avi")
    )
    assert "it trained seeds 0 to 0" in refused(
        capsys, "watch", str(finished), f"--out={tmp_path}/a.gif", "--seed=1"
    )
    (tmp_path / "file").touch()
    assert "--out" in refused(capsys, "watch", str(finished), f"--out={tmp_path}/file/film.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def copied(run: Path, place: Path, checkpoint: bytes) -> Path:
    """The run's folder with another checkpoint in it."""
    new = place / "copy"
    (new / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "metrics.jsonl"):
        (new / name).write_bytes((run / name).read_bytes())
    (new / "checkpoints" / "last.npz").write_bytes(checkpoint)
    (new / "checkpoints" / "best.npz").write_bytes((run / "checkpoints" / "best.npz").read_bytes())
    return new


@pytest.mark.slow
def test_full_disk(finished, capsys, tmp_path, monkeypatch):
    """The disk fills while a checkpoint is written: the earlier one is still whole."""
    new = copied(finished, tmp_path, (finished / "checkpoints" / "last.npz").read_bytes())
    before = (new / "checkpoints" / "last.npz").read_bytes()

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        said = refused(capsys, "resume", str(new), "--steps=128", "--quiet")
    assert "disk is full" in said and "covey resume" in said
    assert (new / "checkpoints" / "last.npz").read_bytes() == before
    assert not list(new.rglob("*.part"))
    assert main(["resume", str(new), "--steps=128", "--quiet"]) == 0


WORLD = """
from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
from covey.environments.games import TwoStep

class Sick(TwoStep):
    def step(self, state, action, key):
        state, step = super().step(state, action, key)
        return state, replace(step, reward=step.reward / 0.0 * 0.0)

class Broken(TwoStep):
    def step(self, state, action, key):
        return jnp.zeros(3) @ jnp.zeros(4)
"""


@pytest.mark.slow
def test_nan_from_a_world(capsys, tmp_path, monkeypatch):
    """NaN in rewards: the first report names the world and the seed."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(WORLD)
    said = refused(capsys, "train", "qmix", "mine.py:Sick", *RUN[1:], *SHORT)
    assert re.search(r"mine\.py:Sick.*not finite.*check_environment", said)


def test_world_that_raises(capsys, tmp_path, monkeypatch):
    """A fault in a user's own file: the sentence names the file, the line and the error."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(WORLD)
    said = refused(capsys, "train", "qmix", "mine.py:Broken", *RUN[1:], *SHORT)
    assert re.search(r"mine\.py, line \d+", said)


def test_whoever_reads_may_stop_reading():
    """`covey list | head -1`: no traceback, and the status of a program that SIGPIPE ended."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "covey.cli", "list"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_help(capsys):
    """Help and version say what they should, and succeed."""
    assert main(["--help"]) == 0 and "covey train" in capsys.readouterr().out
    assert main(["--version"]) == 0 and re.match(r"covey \d", capsys.readouterr().out)
    assert main(["list"]) == 0 and "qmix" in capsys.readouterr().out
    assert main(["describe", "qmix"]) == 0 and "mixer.embed" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(declarations()))
def test_every_command_explains_itself(name, capsys):
    # Would break: a parameter without a help text, a word that usage prints twice, an option twice.
    declaration = declarations()[name]
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    parameters = [*declaration.words, *declaration.options]
    assert end.value.code == 0 and usage.startswith(f"usage: covey {name}")
    assert all(parameter.help and parameter.help.split()[0] in rest for parameter in parameters)
    for word in declaration.words:
        assert len(re.findall(rf"(?<![\w=]){word.shown}(?!\w)", usage)) == 1 + word.repeated
    assert all(
        usage.count(f"[{option.flag} ") + usage.count(f"[{option.flag}]") == 1
        for option in declaration.options
    )


def test_a_command_is_one_function(capsys, monkeypatch):
    """All that a command needs is a function: its words, options, types, defaults and help texts."""

    @command()
    def greet(
        name: str,
        others: Sequence[str],
        *,
        times: Count = 1,
        skip: Index | None = None,
        warmth: float = 0.5,
        tone: Literal["plain", "warm"] = "plain",
        title: Sequence[str] = (),
        aloud: bool = False,
        polite: bool = True,
        say: Callable[[str], None] = print,
        settings: Mapping[str, Any] | None = None,
    ) -> str:
        """Greet somebody.

        Args:
            name (NAME): whom
            others (OTHER): who else
            times (N): how often
            skip (K): the times to skip
            warmth: how warm
            tone: the tone
            title (T): a title; may be repeated
            aloud (--out-loud): shout
            polite: bow
            say: receives progress
            settings: for Python alone
        """
        assert callable(say) and say is not print and settings is None
        return repr((name, list(others), times, skip, warmth, tone, list(title), aloud, polite))

    monkeypatch.setitem(COMMANDS, "greet", COMMANDS.pop("greet"))  # for this test alone
    typed = ["greet", "--times=2e0", "you", "--title", "Dr", "me", "--skip", "0", "--title=Sir", "him"]
    assert main([*typed, "--out-loud", "--no-polite", "--tone=warm"]) == 0
    said = capsys.readouterr().out
    assert said == "('you', ['me', 'him'], 2, 0, 0.5, 'warm', ['Dr', 'Sir'], True, False)\n"
    assert re.search(
        r"--times.*at least 1.*`covey greet --help`", refused(capsys, "greet", "a", "b", "--times=0")
    )
    assert "--tone" in refused(capsys, "greet", "a", "b", "--tone=cold")
    assert "OTHER" in refused(capsys, "greet", "a")
    assert main(["--help"]) == 0 and "covey greet NAME OTHER OTHER …" in capsys.readouterr().out


def test_the_page_of_commands_is_up_to_date():
    # Would break: a page that no longer says what the commands are.
    page = Path(__file__).parents[1] / "docs" / "command-line.md"
    text = page.read_text(encoding="utf-8")
    assert reference.with_reference(text) == text, f"run python -m covey.cli.reference {page}"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["trian"], ["train", "qmxi"], ["eval", "nowhere"]]
)
def test_what_answers_at_once(arguments):
    # Would break: an import of JAX, or of anything that takes as long, before it is needed.
    code = f"import sys; from covey.cli import main; main({arguments}); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_signal_within_an_import_is_no_error(monkeypatch):
    # Breaks if SIGTERM or Ctrl-C, of which a half-imported library makes an ImportError, ends in a traceback.
    def dispatch(arguments):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except KeyboardInterrupt as error:
            raise ImportError("numpy is not whole") from error

    monkeypatch.setattr(cli, "dispatch", dispatch)
    assert main(["list"]) == 130
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
