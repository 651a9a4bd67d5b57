"""Strategies of hypothesis for `benchmarks.fuzz`: command lines, YAML, and the bytes of a run's folder."""

import io
import json
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from covey.cli.declaration import Declaration, Parameter, declarations

from .bad_input_cases import Case

Strategy = st.SearchStrategy
Damage = Callable[[bytes], bytes]

_PLACE = ("/", "..", "~")  # nothing is written outside the folder of a case
_SIGNS = st.characters(exclude_categories=())  # lone surrogates too: a name of a file may hold any byte
_TEXT = st.one_of(
    st.text(_SIGNS, max_size=12),
    st.text(st.sampled_from("[]{}:,&*!|>'\"%@`#-?=+.\n\t\\ aé1"), max_size=16),
    st.sampled_from(["", " ", "-", "--", "---", "null", "~", "\x00", "a" * 5000, "%s", "{}", "‮", "=", ":"]),
)
_INSIDE = _TEXT.filter(lambda text: not any(part in text for part in _PLACE))
_WORDS = """
qmix vdn iql mappo ippo coma maddpg dual_q pqn_vdn cw_qmix hyper_mappo random idle two_step matrix spread tag
pursuit predator_prey skirmish/3m probe/death climbing matrix/penalty run whole run@last run:agent_0
run:run mine.py:Mine mine.py:None nothing.py:X os:path pz:nothing gym:nothing qmix,vdn team=qmix
recurrent feed_forward agent=qmix+adversary=iql monotonic sum soft hard linear adam . nothing agent_0 team
local csv world mixer wandb tpe
"""
_FIELDS = """
gamma lam agent agent.hidden agent.depth agent.name mixer mixer.embed mixer.name experience experience.steps
experience.capacity experience.batch_size experience.updates target target.period optimiser optimiser.lr
epsilon epsilon.steps double sharing preset env env.agents env.horizon env.payoff env.k actor critic clip
critic_input epochs hyper hyper.rank hyper.context seeds steps name
"""
_ODD_NUMBERS = """
0 1 -1 2 3 8 100 1.5 .5 -0 1e3 1e30 -1e30 1e400 nan inf -inf .nan .inf 0x10 1_000 ١ 9999999999
"""
_NUMBERS = st.one_of(
    st.sampled_from(_ODD_NUMBERS.split()), st.integers(-(2**70), 2**70).map(str), st.floats().map(str)
)
_NAMES = st.sampled_from(_WORDS.split())
_KEYS = st.one_of(st.sampled_from(_FIELDS.split()), _TEXT)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    _TEXT,
    st.sampled_from([2**63, -(2**70), 1e308, "1", []]),
)
TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


def _yaml_text(tree: Any) -> str:
    return yaml.safe_dump(tree, allow_unicode=False, default_flow_style=True, width=10**6).strip()


_VALUES = st.one_of(_NUMBERS, _NAMES, _TEXT, TREES.map(_yaml_text))
_SETTINGS = st.builds(lambda key, value: f"{key}={value}", _KEYS, _VALUES)
# An option's value, where any other could do harm or wait for ever.
_SPECIAL: dict[str, Strategy[str]] = {
    "--out": st.one_of(st.sampled_from(["out", "out/a.gif", "a.png", "a.html", "run", "mine.py"]), _INSIDE),
    "--on": st.sampled_from(["local", "nowhere", "", "slurms"]),
    "--track": st.sampled_from(["nothing", "mine.py:Mine", "mine.py:None", ""]),
    "--workers": st.sampled_from(["0", "-1", "x", "1.5"]),
    "--config": st.one_of(st.sampled_from(["run/config.yaml", "mine.py", "nothing", "."]), _TEXT),
}
_HARMFUL = ("--watch", "--port")  # they serve pages for ever
_COMMANDS = {name: d for name, d in declarations().items() if name not in ("doctor", "check", "lab")}


def _option(option: Parameter) -> Strategy[list[str]]:
    if option.kind is bool:
        return st.just([option.flag])
    values = _SPECIAL.get(option.flag, st.one_of(_NUMBERS, _VALUES))
    flag = option.flag
    together = values.map(lambda value: [f"{flag}={value}"])
    return st.one_of(together, values.map(lambda value: [flag, value]), st.just([flag]))


def _words_of(declaration: Declaration) -> Strategy[list[str]]:
    """Return command lines of a command that are nearly right."""
    inside = declaration.command.name in ("new", "train", "ablate", "sweep")
    word = st.one_of(_NAMES, _NAMES, _NAMES, _INSIDE if inside else _TEXT).map(lambda x: [x])
    options = [_option(o) for o in declaration.options if o.flag not in _HARMFUL]
    more: list[Strategy[list[str]]] = [_SETTINGS.map(lambda x: [x])] if declaration.settings else []
    tail = st.lists(st.one_of(*options, *more), max_size=4) if options or more else st.just([])
    head = st.lists(word, min_size=0, max_size=len(declaration.words) + 1)
    join = lambda *parts: [declaration.command.name, *chain.from_iterable(chain.from_iterable(parts))]
    return st.builds(join, head, tail)


def command_lines() -> Strategy[Case]:
    """Return commands with names, options and settings, most of them wrong somewhere."""
    right = st.sampled_from(sorted(_COMMANDS)).flatmap(lambda name: _words_of(_COMMANDS[name]))
    any_words = st.lists(st.one_of(_INSIDE, st.just("-h"), st.sampled_from(sorted(_COMMANDS))), max_size=3)
    return st.one_of(right, right, right, any_words).map(
        lambda words: Case("command lines", words, needs_run=True)
    )


def _at(content: bytes, place: float) -> int:
    return int(place * len(content))


def _damage() -> Strategy[Damage]:
    """Return one change of bytes."""
    place = st.one_of(st.floats(0, 1), st.floats(0.97, 1), st.floats(0, 0.03))
    some = st.one_of(
        st.binary(max_size=6), st.sampled_from([b"\n", b"null", b"[" * 3000, b"\xff", b"NaN", b"{"])
    )
    length = st.sampled_from([1, 2, 10, 100, 2000])
    change = lambda make, *parts: st.builds(lambda *xs: lambda content: make(content, *xs), *parts)
    splice = lambda content, at, n, new: content[: _at(content, at)] + new + content[_at(content, at) + n :]
    return st.one_of(
        change(lambda content, at: content[: _at(content, at)], place),
        change(lambda content, at, new: splice(content, at, 0, new), place, some),
        change(lambda content, at, n: splice(content, at, n, b""), place, length),
        change(
            lambda content, at, n, x: splice(content, at, n, bytes([x]) * n),
            place,
            length,
            st.integers(0, 255),
        ),
        change(lambda content, at, n: splice(content, at, 0, content[_at(content, at) :][:n]), place, length),
        change(lambda content, new: new, st.one_of(st.binary(max_size=60), some)),
    )


def _in_zip(entry: float, damage: Damage) -> Damage:
    """Return a change of one entry of a zip, whose checksum is right again."""

    def change(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        name = sorted(entries)[min(len(entries) - 1, int(entry * len(entries)))]
        entries[name] = damage(entries[name])
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for key, value in entries.items():
                archive.writestr(key, value)
        return out.getvalue()

    return change


def _in_tree(place: float, new: Any, how: str) -> Callable[[Any], Any]:
    """Return a change of one place of a tree: another value, nothing, or one more key."""

    def change(tree: Any) -> Any:
        places = list(_places(tree))
        if not places:
            return new
        holder, key = places[min(len(places) - 1, int(place * len(places)))]
        if how == "drop":
            del holder[key]
        elif how == "add" and isinstance(holder, dict):
            holder[f"{key}x"] = new
        else:
            holder[key] = new
        return tree

    return change


def _places(tree: Any) -> Any:
    """Yield every place of a tree, as what holds it and its key."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _tree_damage() -> Strategy[Callable[[Any], Any]]:
    return st.builds(_in_tree, st.floats(0, 1), TREES, st.sampled_from(["set", "set", "drop", "add"]))


def _of_json(change: Callable[[Any], Any]) -> Damage:
    return lambda content: json.dumps(change(json.loads(content))).encode()


def _of_rows(change: Callable[[Any], Any]) -> Damage:
    """Return a change of rows of JSON."""
    dump = lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
    return lambda content: dump(_listed(change([json.loads(line) for line in content.splitlines()])))


def _listed(x: Any) -> list[Any]:
    return x if isinstance(x, list) else [x]


def _of_yaml(change: Callable[[Any], Any]) -> Damage:
    return lambda content: yaml.safe_dump(change(yaml.safe_load(content)), allow_unicode=False).encode()


_RUN_COMMANDS = """
resume run
resume run --steps 80
eval run --episodes 2
eval run --at best
eval run --versus whole
watch run --out film.gif
report run --out page.html
compare run whole
compare whole run --trace 0
crossplay run whole
export run --csv
export run --player
export run --weights
export run --marl-eval
export run --rliable
export run --agent agent_0
plot run whole --out plot.pdf
sync run nothing
train qmix two_step --from run
train qmix two_step --from run:agent
train qmix two_step --from run:agent_0
train qmix two_step team=run:run
train --config run/config.yaml
ablate qmix two_step gamma=.9,.8 --out run
"""


def config_files() -> Strategy[Case]:
    """Return settings files: any trees, and changes of a run's own, as trees and as text."""
    whole = TREES.map(lambda tree: lambda content: _yaml_text(tree).encode())
    text = st.text(st.sampled_from("[]{}:,&*!|>'\"%@#-?\n  aé1~=<"), max_size=60)
    change = st.one_of(
        _tree_damage().map(_of_yaml), _tree_damage().map(_of_yaml), _damage(), whole,
        text.map(lambda x: lambda content: x.encode()),
    )  # fmt: skip
    commands = ["train --config run/config.yaml", "resume run", "eval run", "compare run whole", "report run"]
    return st.builds(_case_of, st.just("YAML"), st.just("config.yaml"), change, st.sampled_from(commands))


def run_folders() -> Strategy[Case]:
    """Return run folders in which a file's bytes are damaged, or its content is."""
    plain = st.sampled_from(
        [
            "config.yaml",
            "run.json",
            "summary.json",
            "metrics.jsonl",
            "checkpoints/last.npz",
            "checkpoints/best.npz",
        ]
    )
    commands = st.sampled_from(_RUN_COMMANDS.strip().splitlines())
    group = st.just("bytes of run folders")
    records = st.sampled_from(["run.json", "summary.json"])
    archive = st.sampled_from(["checkpoints/last.npz", "checkpoints/best.npz"])
    entry = st.one_of(st.just(0.999), st.floats(0, 1))  # the last one is facts.json
    inner = st.one_of(_damage(), _tree_damage().map(_of_json))
    agent = st.just("agent_0.npz")
    from_agent = st.just("train qmix two_step --from run/agent_0.npz")
    return st.one_of(
        st.builds(_case_of, group, plain, _damage(), commands),
        st.builds(_case_of, group, records, _tree_damage().map(_of_json), commands),
        st.builds(_case_of, group, st.just("metrics.jsonl"), _tree_damage().map(_of_rows), commands),
        st.builds(_case_of, group, archive, st.builds(_in_zip, entry, inner), commands),
        st.builds(_case_of, group, agent, st.one_of(_damage(), st.builds(_in_zip, entry, inner)), from_agent),
    )


def _case_of(group: str, name: str, change: Damage, command: str) -> Case:
    """Return a command on a run's folder of which one file is changed."""

    def prepare(root: Path) -> None:
        path = root / "run" / name
        try:
            path.write_bytes(change(path.read_bytes()))
        except (ValueError, RecursionError, KeyError, TypeError, yaml.YAMLError):
            path.write_bytes(b"")  # such a tree cannot be written

    return Case(group, command.split(), "", prepare, True, name)
