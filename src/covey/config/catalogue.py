"""Names for what covey holds, and how anything of a user's is named.

It imports nothing heavy: `covey --help` and a mistyped name have to answer at once.
"""

import importlib
import importlib.util
import sys
import zlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from ..errors import UserError

Kind = Literal["algorithm", "environment"]


class Entry(NamedTuple):
    """Where a class is, `module:Name` or `file.py:Name`, and the settings that make it what its name says."""

    path: str
    summary: str = ""
    fixed: Mapping[str, Any] = {}
    traits: Mapping[str, bool] = {}  # where these settings change what the class says of itself


QMIX = "covey.algorithms.qmix:QMIX"
WQMIX = "covey.algorithms.wqmix:WQMIX"
PPO = "covey.algorithms.ppo:PPO"
MADDPG, DUAL_Q = "covey.algorithms.maddpg:MADDPG", "covey.algorithms.dual_q:DualQ"
GAMES, PROBES = "covey.environments.games", "covey.environments.probes"
PARTICLES = "covey.environments.particles"

ALGORITHMS = {
    "iql": Entry(QMIX, "each agent for itself", {"mixer": "independent"}, {"centralised": False}),
    "vdn": Entry(QMIX, "the team's value is the sum of its agents'", {"mixer": "sum"}),
    "qmix": Entry(QMIX, "the team's value grows with each agent's; the state says how"),
    "wqmix": Entry(WQMIX, "QMIX with errors weighted by a value that need not be monotone"),
    "cw_qmix": Entry(WQMIX, "likewise: what may be best counts in full", {"weighting": "central"}),
    "ow_qmix": Entry(WQMIX, "likewise: what is undervalued counts in full", {"weighting": "optimistic"}),
    "coma": Entry(
        "covey.algorithms.coma:COMA", "a policy told by a critic what each agent's own action changed"
    ),
    "ippo": Entry(
        PPO,
        "a policy within a trust region; its critic sees what the agent sees",
        {"critic_input": "own"},
        {"centralised": False},
    ),
    "mappo": Entry(PPO, "likewise; its critic sees the state"),
    "hyper_mappo": Entry(
        "covey.algorithms.hyper_mappo:HyperMAPPO",
        "mappo; a network that reads the team's situation adds to its actor's weights",
    ),
    "maddpg": Entry(MADDPG, "each agent's critic sees what all see and do; own rewards, any number of teams"),
    "dual_q": Entry(DUAL_Q, "maddpg, its actors also drawn by local values that a mixer teaches"),
    "random": Entry("covey.algorithms.random:Random", "acts at random and learns nothing: the baseline"),
}

ENVIRONMENTS = {
    "spread": Entry(f"{PARTICLES}.spread:Spread", "cover the landmarks, do not collide"),
    "tag": Entry(f"{PARTICLES}.tag:Tag", "slow adversaries hunt fast prey among obstacles"),
    "pursuit": Entry(f"{PARTICLES}.pursuit:Pursuit", "five hunt two, each paid for what it does itself"),
    "speaker_listener": Entry(
        f"{PARTICLES}.speaker_listener:SpeakerListener", "one knows where to go, the other can go there"
    ),
    "reference": Entry(f"{PARTICLES}.reference:Reference", "each knows where the other has to go"),
    "adversary": Entry(f"{PARTICLES}.adversary:Adversary", "reach the goal without giving it away"),
    "two_step": Entry(f"{GAMES}:TwoStep", "8 for who mixes by state, 7 for who sums"),
    "matrix": Entry(f"{GAMES}:Matrix", "any payoff table, any number of agents and rounds"),
    "matrix/climbing": Entry(f"{GAMES}:Climbing", "the best joint action is next to the worst"),
    "matrix/penalty": Entry(f"{GAMES}:Penalty", "two best joint actions; mixing them up costs env.k"),
    "predator_prey": Entry(
        "covey.environments.predator_prey:PredatorPrey", "catch prey by twos on a grid; who tries alone pays"
    ),
    "probe/recall": Entry(f"{PROBES}:Recall", "is the first observation remembered?"),
    "probe/coordination": Entry(f"{PROBES}:Coordination", "do agents that must agree agree?"),
    "probe/truncation": Entry(f"{PROBES}:Truncation", "do values reach beyond the time limit?"),
    "probe/meeting": Entry(f"{PROBES}:Meeting", "do continuous actions find each other?"),
    "probe/death": Entry(f"{PROBES}:Death", "is learning right when agents die?"),
}

KNOWN: dict[str, dict[str, Entry]] = {"algorithm": ALGORITHMS, "environment": ENVIRONMENTS}
FILE = "covey_file_"  # what the names of modules made from a user's files begin with


def find(kind: Kind, name: str) -> Entry:
    """The entry of a catalogue name, of `file.py:Name`, `package.module:Name`, `pz:module`, `run:DIR`."""
    if name in KNOWN[kind]:
        return KNOWN[kind][name]
    if kind == "algorithm" and name.startswith("run:"):
        return Entry("covey.algorithms.frozen_opponent:FrozenOpponent", fixed={"run": name[4:]})
    if kind == "environment" and name.startswith("pz:"):
        return Entry("covey.environments.adapters.pettingzoo:PettingZoo", fixed={"module": name[3:]})
    if ":" in name:
        return Entry(name)
    if name.endswith(".py"):
        raise UserError(f"{name} is a file: name the {kind} in it too, as {name}:Name")
    if any(name in entries for entries in KNOWN.values()):
        raise UserError(f"{name} is no {kind}: the algorithm comes first, then the environment")
    raise UserError(f"unknown {kind} '{name}'{nearest(name, KNOWN[kind])}: `covey list` shows them all")


def learners(typed: str) -> dict[str, str]:
    """Algorithms by team: of `adversary=qmix+agent=iql`; a bare name is nobody's in particular."""
    if "=" not in typed:
        return {"": typed}
    return {team: name for team, _, name in (part.partition("=") for part in typed.split("+"))}


def load(entry: Entry) -> Any:
    """The class itself."""
    return resolve(entry.path)


def resolve(path: str) -> Any:
    """What `file.py:Name` or `package.module:Name` names."""
    where, _, name = path.rpartition(":")
    if where.endswith(".py") and not Path(where).is_file():
        raise UserError(f"{path}: there is no file {Path.cwd() / where}")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except Exception as error:
        raise UserError(f"{path}: importing {where} failed with {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise UserError(f"{path}: {where} has no '{name}'{nearest(name, public(module))}")
    return getattr(module, name)


def from_file(path: Path) -> ModuleType:
    """A file as a module, once for each content it has had: an edited file is another module."""
    main = sys.modules["__main__"]
    if Path(getattr(main, "__file__", None) or "-").resolve() == path.resolve():
        return main
    content = zlib.crc32(str(path.resolve()).encode() + path.read_bytes())
    name = f"{FILE}{path.stem}_{content:08x}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def public(module: ModuleType) -> list[str]:
    return [name for name in vars(module) if not name.startswith("_")]


def reference(thing: type) -> str:
    """The path that `resolve` would find it by."""
    file = getattr(sys.modules[thing.__module__], "__file__", None)
    if not file or not thing.__module__.startswith((FILE, "__main__")):
        return f"{thing.__module__}:{thing.__qualname__}"
    path = Path(file).resolve()
    path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{path}:{thing.__qualname__}"


def nearest(name: str, names: Iterable[str]) -> str:
    """` (did you mean ...?)`, or nothing. The end of a dotted name is enough to be meant."""
    names = list(dict.fromkeys(names))
    end = lambda name: name.replace("/", ".").rpartition(".")[2]
    close = [n for n in names if end(n) == end(name)] or get_close_matches(name, names, n=1)
    return f" (did you mean {' or '.join(close[:2])}?)" if close else ""
