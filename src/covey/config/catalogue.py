"""The names of algorithms and environments, and the paths that name a user's own.

It imports nothing heavy: `covey --help` and a mistyped name must answer at once.
"""

import importlib
import importlib.util
import re
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from ..errors import UserError
from ..text import nearest
from .battles import SMAC_MAPS, SMACV2, SMACV2_RULES, SMACV2_SIZES

Kind = Literal["algorithm", "environment"]


class Entry(NamedTuple):
    """A class, and the settings that make it what its name says."""

    path: str  # `module:Name` or `file.py:Name`
    summary: str = ""
    fixed: Mapping[str, Any] = {}
    traits: Mapping[str, bool] = {}  # where these settings change what the class says of itself
    learns: bool = True
    protocol: str = ""  # of a user's world that is no covey world: `pz:`, `gym:`


_QMIX = "covey.algorithms.qmix:QMIX"
_WQMIX = "covey.algorithms.wqmix:WQMIX"
_COMA = "covey.algorithms.coma:COMA"
_PQN = "covey.algorithms.pqn:PQN"
_PPO = "covey.algorithms.ppo:PPO"
_HYPER_MAPPO = "covey.algorithms.hyper_mappo:HyperMAPPO"
_MADDPG = "covey.algorithms.maddpg:MADDPG"
_DUAL_Q = "covey.algorithms.dual_q:DualQ"
_RANDOM = "covey.algorithms.random:Random"
_SCRIPTED = "covey.algorithms.scripted"
_GAMES = "covey.environments.games"
_CROWD_GAMES = "covey.environments.crowd_games"
_PROBES = "covey.environments.probes"
_PARTICLES = "covey.environments.particles"
_PREDATOR_PREY = "covey.environments.predator_prey:PredatorPrey"
_SKIRMISH = "covey.environments.skirmish.skirmish:Skirmish"
_DECENTRALISED = {"centralised": False}

ALGORITHMS = {
    "iql": Entry(
        _QMIX,
        "Independent Q-learning: each agent learns its own values.",
        {"mixer": "independent"},
        _DECENTRALISED,
    ),
    "vdn": Entry(_QMIX, "Value decomposition: the team's value is the sum of the agents'.", {"mixer": "sum"}),
    "qmix": Entry(_QMIX, "Monotonic value mixing: weights that depend on the state mix agents' values."),
    "wqmix": Entry(_WQMIX, "Weighted QMIX: an unrestricted joint value weights QMIX's errors."),
    "cw_qmix": Entry(
        _WQMIX,
        "Weighted QMIX, central: joint actions that may be the best count in full.",
        {"weighting": "central"},
    ),
    "ow_qmix": Entry(
        _WQMIX,
        "Weighted QMIX, optimistic: underestimated actions count in full.",
        {"weighting": "optimistic"},
    ),
    "pqn_iql": Entry(
        _PQN,
        "Independent Q-learning without replay: lambda-returns of new rollouts.",
        {"mixer": "independent"},
        _DECENTRALISED,
    ),
    "pqn_vdn": Entry(_PQN, "VDN without replay or target network.", {"mixer": "sum"}),
    "pqn_qmix": Entry(_PQN, "QMIX without replay or target network."),
    "coma": Entry(_COMA, "Actor-critic with counterfactual advantages: each agent's own contribution."),
    "ippo": Entry(
        _PPO,
        "Independent PPO: each agent's critic reads that agent's observation.",
        {"critic_input": "own"},
        _DECENTRALISED,
    ),
    "mappo": Entry(_PPO, "Multi-agent PPO: a centralised critic reads the global state."),
    "hyper_mappo": Entry(_HYPER_MAPPO, "MAPPO whose actor gets weight increments from a hypernetwork."),
    "maddpg": Entry(_MADDPG, "Deterministic policies, centralised critics; any number of teams."),
    "dual_q": Entry(_DUAL_Q, "MADDPG with a second, local value that QMIX's mixer trains."),
    "random": Entry(_RANDOM, "Uniformly random actions: the baseline.", learns=False),
    "scripted/idle": Entry(f"{_SCRIPTED}:Idle", "Script: every agent stands.", learns=False),
    "scripted/nearest": Entry(
        f"{_SCRIPTED}:Scripted",
        "Script: every agent attacks the nearest enemy in reach.",
        {"script": "nearest"},
        learns=False,
    ),
    "scripted/weakest": Entry(
        f"{_SCRIPTED}:Scripted",
        "Script: every agent attacks the weakest enemy in reach.",
        {"script": "weakest"},
        learns=False,
    ),
    "scripted/kite": Entry(
        f"{_SCRIPTED}:Scripted",
        "Script: attack the nearest enemy, step back, again.",
        {"script": "kite"},
        {"recurrent": True},
        learns=False,
    ),
}

ENVIRONMENTS = {
    "spread": Entry(f"{_PARTICLES}.spread:Spread", "Three agents cover three landmarks without colliding."),
    "tag": Entry(f"{_PARTICLES}.tag:Tag", "Slow predators chase faster prey among obstacles."),
    "pursuit": Entry(
        f"{_PARTICLES}.pursuit:Pursuit",
        "Five hunters chase two prey; each agent is paid for its own deeds.",
    ),
    "speaker_listener": Entry(
        f"{_PARTICLES}.speaker_listener:SpeakerListener",
        "One agent knows the goal but cannot move; it tells the other, which can.",
    ),
    "reference": Entry(f"{_PARTICLES}.reference:Reference", "Each of two agents knows the other's goal."),
    "adversary": Entry(
        f"{_PARTICLES}.adversary:Adversary", "A team reaches its goal and hides it from an adversary."
    ),
    "dispersion": Entry(
        f"{_PARTICLES}.dispersion:Dispersion",
        "VMAS's dispersion: agents that begin as one share out the food.",
    ),
    "navigation": Entry(
        f"{_PARTICLES}.navigation:Navigation",
        "VMAS's navigation: each agent to its goal, without collisions.",
    ),
    "specialise": Entry(
        f"{_CROWD_GAMES}:Specialise", "One step, N players, N actions: paid for being unlike."
    ),
    "synchronise": Entry(f"{_CROWD_GAMES}:Synchronise", "One step, N players, N actions: paid for agreeing."),
    "two_step": Entry(f"{_GAMES}:TwoStep", "The two-step game: QMIX earns 8, VDN 7."),
    "matrix": Entry(f"{_GAMES}:Matrix", "Any payoff table, for any number of agents and rounds."),
    "matrix/climbing": Entry(f"{_GAMES}:Climbing", "Climbing: the best joint action is next to the worst."),
    "matrix/penalty": Entry(f"{_GAMES}:Penalty", "Penalty: two best joint actions; mixing them costs env.k."),
    "predator_prey": Entry(_PREDATOR_PREY, "Grid world: two agents capture a prey; one alone is punished."),
    "probe/recall": Entry(f"{_PROBES}:Recall", "Probe: is the first observation remembered?"),
    "probe/coordination": Entry(f"{_PROBES}:Coordination", "Probe: do agents agree where they must?"),
    "probe/truncation": Entry(f"{_PROBES}:Truncation", "Probe: do values reach beyond the time limit?"),
    "probe/meeting": Entry(f"{_PROBES}:Meeting", "Probe: do continuous actions meet?"),
    "probe/death": Entry(f"{_PROBES}:Death", "Probe: is learning right when agents die?"),
}

ENVIRONMENTS |= {
    f"skirmish/{name}": Entry(_SKIRMISH, f"SMAC's battle: {summary}.", {"map": name})
    for name, summary in SMAC_MAPS.items()
}
ENVIRONMENTS["skirmish/custom"] = Entry(
    _SKIRMISH, "Any battle: set env.allies, env.enemies, env.terrain and env.order.", {"map": "custom"}
)

ENVIRONMENTS |= {
    f"skirmish/{race}_{a}_vs_{b}": Entry(
        _SKIRMISH,
        f"SMACv2: {a} of {units} against {b}, drawn anew in each battle.",
        {"map": f"{race}_{a}_vs_{b}", **SMACV2_RULES},
    )
    for race, units in SMACV2.items()
    for a, b in SMACV2_SIZES
}

KNOWN: dict[str, dict[str, Entry]] = {"algorithm": ALGORITHMS, "environment": ENVIRONMENTS}
# Worlds of other packages, by prefix: the function that makes them, and its option for the name behind.
ADAPTERS = {
    "pz:": ("covey.environments.adapters.pettingzoo:pettingzoo", "module"),
    "gym:": ("covey.environments.adapters.gymnasium:gymnasium", "id"),
    "overcooked:": ("covey.environments.adapters.overcooked:overcooked", "layout"),
    "smac:": ("covey.environments.adapters.smac:smac", "map"),
    "smacv2:": ("covey.environments.adapters.smac:smacv2", "scenario"),
    "vmas:": ("covey.environments.adapters.vmas:vmas", "scenario"),
    "football:": ("covey.environments.adapters.football:football", "scenario"),
    "jumanji:": ("covey.environments.adapters.jumanji:jumanji", "name"),
    "jaxmarl:": ("covey.environments.adapters.jaxmarl:jaxmarl", "name"),
}
PYTHON_WORLDS = ("pz:", "gym:", "overcooked:", "smac:", "smacv2:", "football:")  # never compiled
# Gymnasium's `module:ID-v0` is no path to a class.
_MODULE_AND_ID = re.compile(r"[\w.]+:[\w./-]+-v\d+")
FILE_MODULE = "covey_file_"  # the prefix of modules that are made from a user's files


def find(kind: Kind, name: str) -> Entry:
    """Return the entry of a catalogue name, `file.py:Name`, `package.module:Name`, `run:DIR`, `pz:module`.

    Any prefix of `ADAPTERS` is taken, and may stand before the path of a class or function, too.
    """
    if name in KNOWN[kind]:
        return KNOWN[kind][name]
    if kind == "algorithm" and name.startswith("run:"):
        return Entry("covey.algorithms.frozen_opponent:FrozenOpponent", fixed={"run": name[4:]}, learns=False)
    if kind == "algorithm" and name.startswith("pool:"):
        return Entry("covey.algorithms.opponent_pool:OpponentPool", learns=False)
    prefix = adapter_prefix(name) if kind == "environment" else ""
    if prefix:
        path, option = ADAPTERS[prefix]
        rest = name.removeprefix(prefix)
        to_class = ":" in rest and not _MODULE_AND_ID.fullmatch(rest)
        return Entry(rest, protocol=prefix) if to_class else Entry(path, fixed={option: rest})
    if ":" in name:
        return Entry(name)
    if name.endswith(".py"):
        raise UserError(f"{name} is a file: name the {kind} in it too, as {name}:Name")
    if any(name in entries for entries in KNOWN.values()):
        raise UserError(f"{name} is no {kind}: the algorithm comes first, then the environment")
    raise UserError(f"unknown {kind} '{name}'{nearest(name, KNOWN[kind])}: `covey list` shows them all")


def adapter_prefix(name: str) -> str:
    """Return the prefix of another package's world, as in `pz:module`; empty for all other names."""
    return next((prefix for prefix in ADAPTERS if name.startswith(prefix)), "")


def algorithms_by_team(algorithm: str) -> dict[str, str]:
    """Return each team's algorithm in `adversary=qmix+agent=iql`; a bare name stands under ''."""
    if "=" not in algorithm:
        return {"": algorithm}
    parts = [part.partition("=") for part in algorithm.split("+")]
    teams = [team for team, _, _ in parts]
    twice = [team for team in teams if teams.count(team) > 1]
    if twice:
        raise UserError(f"{algorithm} names {twice[0]} twice: name one algorithm for each team")
    return {team: name for team, _, name in parts}


def load_class(entry: Entry) -> Any:
    """Return the class, or the function that makes the environment."""
    return resolve(entry.path)


def resolve(path: str) -> Any:
    """Return what `file.py:Name` or `package.module:Name` names."""
    where, _, name = path.rpartition(":")
    if where.endswith(".py") and not Path(where).is_file():
        raise UserError(f"{path}: there is no file {Path.cwd() / where}")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = _module_from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: importing {where} failed with {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise UserError(f"{path}: {where} has no '{name}'{nearest(name, _public_names(module))}")
    return getattr(module, name)


def _module_from_file(path: Path) -> ModuleType:
    """Return a file as a module, once for each content: an edited file is another module."""
    main = sys.modules["__main__"]
    if Path(getattr(main, "__file__", None) or "-").resolve() == path.resolve():
        return main
    source = path.read_bytes()
    content = zlib.crc32(str(path.resolve()).encode() + source)
    name = f"{FILE_MODULE}{path.stem}_{content:08x}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            # Not by the loader: its cache takes an edit of the same second and size for the file before.
            exec(compile(source, str(path), "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _public_names(module: ModuleType) -> list[str]:
    return [name for name in vars(module) if not name.startswith("_")]


def class_path(thing: type) -> str:
    """Return the path by which `resolve` finds a class."""
    file = getattr(sys.modules[thing.__module__], "__file__", None)
    if not file or not thing.__module__.startswith((FILE_MODULE, "__main__")):
        return f"{thing.__module__}:{thing.__qualname__}"
    path = Path(file).resolve()
    path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{path}:{thing.__qualname__}"
