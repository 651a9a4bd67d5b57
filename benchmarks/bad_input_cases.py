"""Malformed inputs: what users type, write and copy that cannot be meant, by command."""

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

Prepare = Callable[[Path], None]


class Case(NamedTuple):
    """An input; `why` says why it is right to accept it, and is empty where it must be refused.

    `file` is the one of a run's folder that `prepare` changes, where that is worth telling.
    """

    group: str
    words: Sequence[str]
    why: str = ""
    prepare: Prepare = lambda root: None
    needs_run: bool = False
    file: str = ""


def all_cases() -> list[Case]:
    return [*cheap_cases(), *run_cases()]


def cheap_cases() -> list[Case]:
    """Return the inputs that need no trained run."""
    groups = (
        commands(), names(), options(), settings(), worlds(), sizes(), twice(), files(), configs(), tables(),
        other_commands(),
    )  # fmt: skip
    return [case for group in groups for case in group]


def commands() -> Iterator[Case]:
    lines = (
        "trian qmix spread", "TRAIN qmix spread", "-x", "--versionn", "train", "train qmix",
        "train spread qmix", "sync runs -- --",
        "train qmix qmix", "train spread spread", "train qmix spread extra", "train qmix spread --nonsense",
        "train qmix spread --seeds", "train qmix spread --out", "train qmix spread --device tpu",
        "train qmix spread --device", "train qmix spread --config", "train qmix spread -s 3", "eval",
        "resume",
        "watch", "compare", "compare one", "crossplay", "describe", "lab", "ablate", "ablate qmix", "report",
        "resume a b", "eval a b c", "list everything", "describe a b", "train qmix spread --seed=",
        "train = =",
        "train qmix spread =5", "train qmix spread gamma=", "train qmix spread gamma==.9",
        "train qmix spread .=1",
        "train qmix spread gamma.=1", "train qmix spread .gamma=1", "train qmix spread a..b=1",
        "train qmix spread env.=1", "train qmix spread env=1", "train qmix spread algorithm=iql",
        "train qmix spread seeds=3", "train qmix spread --no-seeds", "train qmix spread --quiet=yes",
    )  # fmt: skip
    for line in lines:
        yield Case("words", line.split())
    for words in (
        [""],
        ["train", ""],
        ["train", "", ""],
        ["train", "qmix", ""],
        ["train", " ", "spread"],
        ["list", "", " "],
    ):
        yield Case("words", words)
    for text in ("\x00", "é", "‮", "a" * 10_000, "🦆", "\n", "%s", "{}", "$(id)", "../../etc/passwd"):
        yield Case("words", ["train", text, "spread"])
        yield Case("words", ["train", "qmix", "spread", f"{text}=1"])


BROKEN = {
    "syntax.py": "class Mixer(:\n",
    "raises.py": "1 / 0\n",
    "leaves.py": "import sys\nsys.exit(0)\n",
    "interrupts.py": "raise KeyboardInterrupt\n",
    "imports.py": "import a_module_that_nobody_has\n",
    "itself.py": "import itself\n\nNAME = itself.NAME\n",
    "bytes.py": "\udcff\udcfe",
    "empty.py": "",
    "things.py": "number = 3\n\n\ndef function():\n    return 3\n\n\nclass Plain:\n    pass\n",
}


def write_broken(root: Path) -> None:
    for name, text in BROKEN.items():
        (root / name).write_text(text, errors="surrogateescape")
    (root / "folder.py").mkdir(exist_ok=True)


def names() -> Iterator[Case]:
    wrong = (
        "qmx", "QMIX", "qmix.py", "qmix:", ":qmix", ":", "::", "nothing.py:Mixer", "nothing:Mixer", "a.b.c:D",
        "os:system", "os:nothing", "math:pi", "covey:train", "covey.algorithms.qmix:Nothing", "run:",
        "run:nothing", "run:nothing@5", "pool:", "pool:nothing", "pool:self", "pool:self,nothing", "pool:,",
        "pz:", "pz:nothing", "syntax.py:Mixer", "raises.py:Mixer", "leaves.py:Mixer",
        "imports.py:Mixer", "itself.py:Mixer", "bytes.py:Mixer", "empty.py:Mixer", "things.py:number",
        "things.py:function", "things.py:Plain", "things.py:", "things.py", "folder.py:Mixer", "/:x",
        ".:x", "..py:x",
    )  # fmt: skip
    for name in wrong:
        yield Case("names", ["train", name, "spread"], prepare=write_broken)
        yield Case("names", ["train", "qmix", name], prepare=write_broken)
        if not name.startswith(("run", "pool", "pz")) and name not in ("qmix.py", "things.py"):
            yield Case("names", ["train", "qmix", "spread", f"mixer={name}"], prepare=write_broken)
    for name in ("adversary=qmix", "a=qmix+b=iql", "team=", "=qmix", "team=qmix+", "+", "team=nothing"):
        yield Case("names", ["train", name, "spread"])
    for name in (
        "adversary=qmix+adversary=iql",
        "agent=qmx",
        "adversary=qmix+agent=run:nothing",
        "adversary=qmix+agent=pool:self",
        "agent=pool:nothing",
        "adversary=qmix+agent=pool:",
        "agent=",
    ):
        yield Case("names", ["train", name, "adversary"])


NUMBERS = ("0", "-1", "1.5", "many", "", "nan", "inf", "1e400", "[1]", "0x10", "1,000", "--5")


def options() -> Iterator[Case]:
    flags = ("seeds", "seed", "steps", "envs", "eval-every", "eval-episodes", "report-every", "save-every")
    for flag in flags:
        for number in NUMBERS:
            if not (flag in ("seed", "save-every") and number == "0"):
                yield Case("options", ["train", "qmix", "two_step", f"--{flag}={number}"])
    yield Case("options", ["train", "qmix", "two_step", "--seed=0"], why="seeds count from 0")
    yield Case(
        "options", ["train", "qmix", "two_step", "--save-every=0"], why="a checkpoint after each report"
    )
    for line in (
        "--out=--",
        "--track=--",
        "--config=--",
        "--from nothing",
        "--from /",
        "--from :",
        "--from .:actor",
        "--config nothing.yaml",
        "--config /",
    ):
        yield Case("options", ["train", "qmix", "two_step", *line.split()])


SETTINGS = {
    "qmix two_step": (
        "gamma", "lam", "agent.hidden", "agent.depth", "mixer.embed", "experience.capacity",
        "experience.batch_size",
        "experience.updates", "target.period", "optimiser.lr", "optimiser.clip", "optimiser.eps",
        "optimiser.decay",
        "epsilon", "epsilon.steps", "double", "sharing", "mixer", "experience", "optimiser",
    ),
    "mappo two_step": (
        *("clip", "epochs", "minibatches", "chunk"), *("entropy", "huber", "value_clip", "deviation")
    ),
    "maddpg two_step": ("regulariser", "noise", "temperature", "target.tau", "experience.every"),
    "hyper_mappo two_step": (
        "hyper.rank", "hyper.k", "hyper.width", "hyper.heads", "smooth_weight", "layers"
    ),
    "cw_qmix two_step": ("alpha", "central_mixer.depth"),
}  # fmt: skip
WRONG = ("-1", "1e30", ".nan", ".inf", "text", "[1, 2]", "{a: 1}", "!!python/name:os.system", "'", "&a [*a]")
UNBOUNDED = (
    *("optimiser.clip", "optimiser.eps", "clip", "huber", "value_clip", "deviation", "entropy"),
    *("regulariser", "noise", "temperature", "smooth_weight"),
)
LARGE = "a finite number; where a loss overflows, training stops with a sentence"
SWITCHES = {"double": ("1", "yes", "null"), "sharing": ("some", "1", "null"), "layers": ("first", "[]")}


def settings() -> Iterator[Case]:
    for run, keys in SETTINGS.items():
        for key in keys:
            for value in (*WRONG, *SWITCHES.get(key, ())):
                large = key in UNBOUNDED and value == "1e30"
                words = ["train", *run.split(), "preset=original", f"{key}={value}"]
                yield Case("settings", words, LARGE if large else "")
    told = {
        "qmix two_step optimiser.lr=0": "a frozen learner is a baseline; the run says that nothing changes",
        "qmix two_step agent.depth=0": "a linear network; the run says so",
        "mappo two_step critic.depth=0": "the same",
        "qmix two_step optimiser.clip=0": "0 switches clipping off, as documented",
        "qmix two_step gamma=0": "a game of one step needs no more",
        "qmix two_step gamma=1": "episodes end, so returns are finite",
        "iql two_step gamma=1e-3": "a small number is a number",
    }
    for line, why in told.items():
        yield Case("settings", ["train", *line.split(), "preset=original"], why=why)
    for pair in (
        "gama=.9", "mixer.embd=3", "gamma.value=1", "mixer.name.x=1", "epsilon.start=5", "alpha=1",
        "env.gamma=1",
        "target=soft target.period=5", "mixer=sum mixer.embed=4", "experience.window=0",
        "experience.packed=2",
        "experience.capacity=1", "experience.window=5", "experience=on_policy experience.capacity=5",
        "preset=best",
        "preset=tuned", "traits=1", "critic_input=state", "agent=recurrent agent.hidden=a", "mixer={name: 5}",
        "mixer={}", "mixer=[]", "mixer={name: sum, name: monotonic}", "optimiser={lr: {name: linear}}",
    ):  # fmt: skip
        words = [pair] if "{" in pair else pair.split()
        yield Case("settings", ["train", "qmix", "two_step", *words])


WORLDS = {
    "spread": ("agents", "landmarks", "local_ratio", "horizon", "continuous"),
    "tag": ("adversaries", "prey", "obstacles", "horizon"),
    "predator_prey": ("agents", "rows", "sight", "punishment"),
    "matrix": ("rounds", "payoff"),
    "matrix/penalty": ("k",),
    "probe/death": ("life",),
    "skirmish/3m": (
        "jitter", "horizon", "min_attack_range", "num_fov_actions", "allies", "terrain", "order", "data",
        "enemy",
        "map", "timeout",
    ),
}  # fmt: skip


def worlds() -> Iterator[Case]:
    for world, keys in WORLDS.items():
        for key in keys:
            for value in ("-1", "0.5", "text", ".nan", "1e30", "[[1, [2]]]", "{a: 1}", "true"):
                fits = (key, value) in {
                    ("local_ratio", "0.5"), ("punishment", "-1"), ("punishment", "0.5"),
                    ("punishment", "1e30"), ("k", "-1"), ("k", "0.5"),
                    ("k", "1e30"), ("continuous", "true"), ("jitter", "0.5"), ("min_attack_range", "0.5"),
                    ("min_attack_range", "1e30"), ("jitter", "1e30"),
                }  # fmt: skip
                if not fits:
                    yield Case("worlds", ["train", "qmix", world, "preset=original", f"env.{key}={value}"])
    for pair in (
        "env.terrain=nofile.yaml", "env.terrain=/", "env.data=nofile.yaml", "env.allies={marine: 1e30}",
        "env.allies={marine: 0}", "env.allies=[]", "env.order=[1]", "env.order=[[1, 2], [3]]", "env.map=3M",
        "env.enemy=things.py:Plain", "env.shown=1", "env.pay.reward_sparse=1", "env.terrain=[[0, 1, 2, 3]]",
    ):  # fmt: skip
        yield Case("worlds", ["train", "qmix", "skirmish/3m", pair], prepare=write_broken)
    for payoff in ("[]", "[[]]", "[[1, 2], [3]]", "[[a, b]]", "5", "null", "[[.nan, 1]]", "[[true, false]]"):
        yield Case("worlds", ["train", "qmix", "matrix", f"env.payoff={payoff}"])


def sizes() -> Iterator[Case]:
    run = ["train", "qmix", "spread", "preset=original"]
    for word in (
        "--envs=1e30", "--envs=1e12", "--eval-episodes=1e30", "--eval-episodes=1e12", "--steps=1e30",
        "--seeds=1e9",
        "--report-every=1e30", "--eval-every=1e30", "--save-every=1e30", "--seed=1e10",
        "experience.capacity=1e12",
        "experience.batch_size=1e9", "experience.window=1e12", "experience.steps=1e9",
        "experience.updates=1e9",
        "agent.hidden=1e6", "agent.hidden=1e30", "agent.depth=1e6", "mixer.embed=1e9", "env.agents=1e6",
        "env.landmarks=1e9", "env.horizon=1e9",
    ):  # fmt: skip
        yield Case("sizes", [*run, word])
    for pair in ("epochs=1e9", "chunk=1e30", "experience.steps=1e9"):
        yield Case("sizes", ["train", "mappo", "spread", "preset=original", pair])


def twice() -> Iterator[Case]:
    run = ["train", "qmix", "two_step"]
    for line in (
        "gamma=.9 gamma=.8", "--seeds 2 --seeds 3", "--steps 10 --steps=20", "--out a --out b",
        "env.a=1 env.a=2",
        "--device cpu --device gpu", "--config a --config b",
    ):  # fmt: skip
        yield Case("twice", [*run, *line.split()])
    yield Case("twice", [*run, "gamma=.9", "gamma=0.9"], why="twice the same value")
    yield Case("twice", [*run, "--seeds=2", "--seeds", "2"], why="twice the same value")
    yield Case("twice", ["ablate", "qmix", "two_step", "gamma=.9,.9"])
    yield Case("twice", ["ablate", "qmix", "two_step", "gamma=.9", "gamma=.8"])
    yield Case("twice", ["ablate", "qmix,qmix", "two_step"])


YAML = {
    "null": "null\n", "a list": "- 1\n- 2\n", "a number": "7\n", "text": "hello\n",
    "a tab": "gamma:\t.9\n\tx: 1\n",
    "half": "learners: {team: {name: qmix\n", "a key twice": "steps: 10\nsteps: 20\n",
    "numbers for keys": "1: 2\n",
    "a key of a list": "? [a]\n: b\n", "a tag": "steps: !!python/object/apply:os.system [id]\n", "a bomb": "",
    "deep": "env: " + "[" * 3000, "deep and closed": "env: " + "[" * 500 + "]" * 500,
    "itself": "env: &a {x: *a}\n",
    "an unknown field": "stepss: 10\n", "an old field": "sides: {}\n", "a wrong type": "steps: many\n",
    "a wrong type of learners": "learners: 5\n", "a list of learners": "learners: [qmix]\n",
    "a learner of text": "learners: {team: qmix}\n", "a learner that is null": "learners: {team: null}\n",
    "an unknown team": "learners: {nobody: {name: qmix}}\n",
    "an unknown setting": "learners: {team: {gama: 1}}\n",
    "a value outside": "learners: {team: {gamma: 2}}\n", "env of text": "env: text\n",
    "env with a list": "env: [1]\n",
    "an unknown setting of the world": "env: {agents: 3}\n", "an alias to nothing": "steps: *steps\n",
    "two documents": "steps: 10\n---\nsteps: 20\n", "a date": "steps: 2020-01-01\n",
    "a long number": "steps: " + "9" * 5000,
    "no steps": "steps: null\n", "seeds as text": "seeds: '5'\n", "a control sign": "steps: \x07\n",
    "notes": "notes: [x]\n", "origin": "origin: /etc\n",
}  # fmt: skip


def bomb() -> str:
    """Return aliases of aliases: a few hundred bytes that stand for 10^12 values."""
    lines = ["env: {a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f", a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "".join(lines) + "}\n"


def configs() -> Iterator[Case]:
    run = ["train", "qmix", "two_step", "--config", "settings.yaml"]
    for name, text in YAML.items():
        write = lambda root, text=text: write_bytes(root / "settings.yaml", (text or bomb()).encode())
        why = {"seeds as text": "text of a number, as on the command line", "null": "sets nothing"}.get(
            name, ""
        )
        yield Case("--config", run, why, write)
    for content in (b"\xff\xfe\x00", bytes(100), b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + bytes(50)):
        yield Case(
            "--config",
            run,
            prepare=lambda root, content=content: write_bytes(root / "settings.yaml", content),
        )
    yield Case("--config", [*run[:-1], "/dev/zero"])
    yield Case(
        "--config", run, "an empty file sets nothing", lambda root: write_bytes(root / "settings.yaml", b"")
    )


def files() -> Iterator[Case]:
    for out in ("/dev/null/x", "/proc/x", "file.txt/run", "a" * 5000):
        prepare = lambda root: write_bytes(root / "file.txt", b"")
        yield Case("--out", ["watch", "nothing", "--out", out], prepare=prepare)
        yield Case(
            "--out", ["lab", "[[1, 2], [3, 4]]", "--starts", "0", "--out", f"{out}/x.png"], prepare=prepare
        )


def tables() -> Iterator[Case]:
    for game in (
        "[[1, 2], [3]]", "[", "[]", "[[a, b]]", "{}", "null", "5", "nothing", "[[.nan, 1]]",
        "[[.inf, 1], [2, 3]]",
        "spread", "[[[[1]]]]" * 3, "&a [*a]", "qmix", "''", "[[1e400, 1], [1, 1]]",
    ):  # fmt: skip
        yield Case("lab", ["lab", game, "--starts", "0"])
    for line in (
        "--operator qmx", "--alpha 2", "--alpha -1", "--alpha x", "--gamma 2", "--starts -1", "--starts 1.5",
        "--out x.exe", "--starts inf", "--alpha nan", "--out", "--operator", "env.k=1", "k=1",
    ):  # fmt: skip
        yield Case("lab", ["lab", "[[8, -12], [-12, 0]]", *line.split()])


def other_commands() -> Iterator[Case]:
    for name in (
        "nothing",
        "",
        "qmix:",
        "things.py:number",
        "raises.py:X",
        "leaves.py:X",
        "pz:nothing",
        "run:x",
        ":",
    ):
        yield Case("describe", ["describe", name], prepare=write_broken)
    for line in (
        "qmix spread gamma=", "qmix spread gamma=.9,", "qmix spread gamma=[.9,.8",
        "qmix spread gamma=.9,high",
        "qmix spread gamma", "qmix spread", "qmx,iql spread gamma=.9,.8", "qmix sprad gamma=.9,.8",
        "qmix spread gama=.9,.8", "qmix spread gamma=.9,2", "qmix spread steps=1,2",
        "qmix spread env.agents=1,0",
        ", spread", "qmix spread gamma=.9,.8 --seeds x",
    ):  # fmt: skip
        yield Case("ablate", ["ablate", *line.split()])
    for line in (
        "watch /",
        "eval .",
        "resume nothing",
        "compare . .",
        "crossplay . .",
        "report nothing",
        "report /dev/null",
        f"plot {'a' * 5000}",
        f"sync {'a' * 5000} wandb",
    ):
        yield Case("no run", line.split())


def write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def cut(name: str) -> Prepare:
    """Leave half of a file of the run."""
    return lambda root: write_bytes(
        root / "run" / name, (root / "run" / name).read_bytes()[: (root / "run" / name).stat().st_size // 2]
    )


def filled(name: str, content: bytes) -> Prepare:
    return lambda root: write_bytes(root / "run" / name, content)


def folder_for(name: str) -> Prepare:
    def prepare(root: Path) -> None:
        (root / "run" / name).unlink()
        (root / "run" / name).mkdir()

    return prepare


def without(name: str) -> Prepare:
    return lambda root: (root / "run" / name).unlink()


def replaced(name: str, old: str, new: str) -> Prepare:
    def prepare(root: Path) -> None:
        text = (root / "run" / name).read_text()
        assert old in text, (name, old)
        (root / "run" / name).write_text(text.replace(old, new))

    return prepare


def packed(root: Path) -> None:
    """Pack the checkpoint: a zip that may be endless when it is read."""
    path = root / "run" / "checkpoints" / "last.npz"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def wrong_facts(root: Path) -> None:
    path = root / "run" / "checkpoints" / "last.npz"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["facts.json"] = json.dumps(
        json.loads(entries["facts.json"]) | {"format": "two", "leaves": 5}
    ).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


LAST = "checkpoints/last.npz"
RUBBISH = (b"", b"null", b"[1]\n", bytes(500), b"\xff\xfe" * 99, b"[" * 99_999)


def run_cases() -> Iterator[Case]:
    """Yield damaged run folders, and words that do not fit a run."""
    reads = (
        "eval run --episodes 1",
        "watch run --out film.png",
        "resume run --steps 80",
        "compare run whole --trace 0",
    )
    for line in reads:
        for damage in (
            *(filled("config.yaml", x) for x in RUBBISH),
            cut("config.yaml"),
            folder_for("config.yaml"),
        ):
            yield Case("config.yaml", line.split(), "", damage, True)
        for damage in (
            *(filled(LAST, x) for x in RUBBISH),
            cut(LAST),
            folder_for(LAST),
            packed,
            wrong_facts,
        ):
            if not line.startswith("compare"):
                yield Case("last.npz", line.split(), "", damage, True)
        for old, new in (
            ("gamma: 0.99", "gamma: 2"), ("hidden: 4", "hidden: 5"), ("seeds: 1", "seeds: 3"),
            ("name: qmix", "name: nothing"),
            ("environment: two_step", "environment: matrix"), ("files/mine.py", "files/other.py"),
        ):  # fmt: skip
            if not (line.startswith("compare") and "hidden" in old):
                yield Case("an edited config.yaml", line.split(), "", replaced("config.yaml", old, new), True)
    for damage in (*(filled("metrics.jsonl", x) for x in RUBBISH if x), folder_for("metrics.jsonl")):
        yield Case("metrics.jsonl", ["compare", "run", "whole"], "", damage, True)
    yield Case(
        "metrics.jsonl",
        ["compare", "run", "whole"],
        "",
        replaced("metrics.jsonl", '"seed": 0', '"seed": "0"'),
        True,
    )
    for damage in (
        *(filled("summary.json", x) for x in RUBBISH),
        folder_for("summary.json"),
        cut("summary.json"),
    ):
        yield Case("summary.json", ["compare", "run", "whole"], "", damage, True)
        yield Case("summary.json", ["watch", "run", "--out", "film.png"], "", damage, True)
    for damage in (
        *(filled("run.json", x) for x in RUBBISH),
        folder_for("run.json"),
        cut("run.json"),
        without("run.json"),
    ):
        yield Case("run.json", ["eval", "run"], "", damage, True)
    changed = filled("files/mine.py", b"raise SystemExit\n")
    for line in (
        *reads,
        "crossplay run whole",
        "eval run --versus whole",
        "train --config run/config.yaml",
        "train qmix two_step --from run:agent_0",
    ):
        yield Case("a stranger's file", line.split(), "", changed, True)
    for line in (
        "eval run --episodes 0", "eval run --episodes inf", "eval run --episodes 1e30",
        "eval run --env nothing",
        "eval run --env spread", "eval run gamma=.9", "eval run env.nothing=1", "eval run --versus nothing",
        "eval run --side team", "eval run --pairs", "eval run --versus run --env two_step",
        "watch run --episodes 0",
        "watch run --seed 5", "watch run --seed -1", "watch run --begin -1", "watch run --out film.avi",
        "watch run --follow nobody", "watch run --out /nowhere/at/all.gif", "watch run --episodes 1e30",
        "resume run --steps 10", "resume run --steps 0", "resume run --steps x", "resume run --steps 1e30",
        "compare run nothing", "compare nothing run", "compare run run --trace -1", "crossplay run",
        "crossplay run nothing",
        "train qmix two_step --from run:nothing", "train mappo two_step --from run",
        "train qmix spread --from run",
        "train qmix two_step --out run", "train qmix two_step team=run:run",
        "ablate qmix two_step gamma=.9,.8 --out run",
    ):  # fmt: skip
        yield Case("a run", line.split(), needs_run=True)
