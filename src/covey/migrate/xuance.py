"""XuanCe (agi-brain/xuance 4f0b05b2): a YAML file, or a `get_runner(...)` call."""

import ast
import math
from pathlib import Path
from typing import Any

from .. import yaml_text
from ..errors import UserError
from .translation import (
    Found,
    Rule,
    Translation,
    made,
    missing,
    nothing,
    run_option,
    same,
    switch,
    translate_settings,
)

_AGENTS = {
    "iql": "iql", "vdn": "vdn", "qmix": "qmix", "cwqmix": "cw_qmix", "owqmix": "ow_qmix", "wqmix": "cw_qmix",
    "coma": "coma", "ippo": "ippo", "mappo": "mappo", "maddpg": "maddpg",
}  # fmt: skip
_WORLDS = {
    "simple_spread_v3": "spread", "simple_tag_v3": "tag", "simple_reference_v3": "reference",
    "simple_speaker_listener_v4": "speaker_listener", "simple_adversary_v3": "adversary",
}  # fmt: skip
_VALUE_BASED = ("iql", "vdn", "qmix", "cw_qmix", "ow_qmix")
_ON_POLICY = ("ippo", "mappo", "coma")
_READ = ("agent", "algo", "method", "env", "env_name", "env_id", "config_path", "parser_args", "is_test")
# The classes and the runner that its factory chooses, and what only they read.
_ITS_OWN = (
    *("learner", "policy", "representation", "vectorize", "runner", "dl_toolbox", "clip_type"),
    *("project_name", "wandb_user_name", "render", "render_mode", "fps", "master_port"),
)


def translate_xuance_call(text: str) -> Translation:
    """Translate `get_runner(algo="qmix", env="mpe", env_id="simple_spread_v3", …)`."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        assert isinstance(call, ast.Call)
        names = ("algo", "env", "env_id", "config_path")
        found = {name: ast.literal_eval(node) for name, node in zip(names, call.args, strict=False)}
        found |= {
            str(word.arg): ast.literal_eval(word.value) for word in call.keywords if word.arg != "parser_args"
        }
    except (SyntaxError, ValueError, AssertionError) as error:
        raise UserError(
            "this call is not understood: write its arguments as they are, as in "
            "get_runner(algo='qmix', env='mpe', env_id='simple_spread_v3')"
        ) from error
    path = found.get("config_path")
    settings = yaml_text.read_file(Path(path)) if path else {}
    translation = translate_xuance(settings | found)
    if not path:
        translation.notes.append(
            "Without config_path XuanCe reads a file of its own, xuance/configs/ALGO/ENV/ENV_ID.yaml: give "
            "its path as config_path, and its settings are taken over."
        )
    return translation


def translate_xuance(found: dict[str, Any]) -> Translation:
    """Translate the settings of a YAML file, with those of a call over them."""
    agent = str(found.get("algo", found.get("method", found.get("agent", "")))).lower()
    name = _AGENTS.get(agent.replace("_agents", "").replace("-", "").replace("_", ""))
    if name is None:
        raise UserError(f"'{agent}' has no counterpart here: covey has {', '.join(_AGENTS)}")
    translation = Translation("XuanCe", name, _world(found))
    if name == "mappo" and not found.get("use_global_state", False):
        translation.notes.append(
            "use_global_state is False in XuanCe's configurations of MAPPO: its critic then reads "
            "observations, not the state. covey's reads the state; critic_input=own is IPPO's."
        )
    if name in _VALUE_BASED:
        translation.words.append("last_action=false")
        translation.changed.append(("its agents", "last_action=false: they do not see what they did last"))
        translation.notes.append(
            "XuanCe throws one coin for all agents and all copies of a step where it explores; covey throws "
            "one for each agent."
        )
    return translate_settings(translation, found, _rules(name, found), (*_READ, *_ITS_OWN))


def xuance_world(family: str, name: str) -> str:
    """Return the world of a family's member."""
    return _world({"env": family, "env_id": name})


def _world(found: Found) -> str:
    family = str(found.get("env", found.get("env_name", "mpe"))).lower()
    world = str(found.get("env_id", "simple_spread_v3"))
    if world in _WORLDS:
        return _WORLDS[world]
    if family in ("mpe", "mpe2"):
        return f"pz:mpe2.{world}"
    if family in ("starcraft2", "sc2", "smac"):
        return f"skirmish/{world}"
    if family == "football":
        return f"football:{world}"
    if family == "rware":
        return f"gym:{world}"
    raise UserError(f"env={family} with env_id={world} names no world that covey knows")


def _every(value: Any, found: Found) -> str:
    return f"experience.every={math.lcm(int(found.get('parallels', 1)), int(value))}"


def _is_recurrent(found: Found) -> bool:
    return bool(found.get("use_rnn", False))


def _noise(value: Any, found: Found) -> list[str]:
    width = float(found.get("sigma", 1.0))
    ends = [f"noise.{end}={found.get(f'{end}_noise', 0.0) * width:g}" for end in ("start", "end")]
    return ["noise=linear", *ends, f"noise.steps={int(found.get('running_steps', 1_000_000))}"]


def _layers(part: str, found: Found) -> list[str]:
    """Return the layers of a network: its representation, then what follows, of one width here."""
    listed = lambda name: found.get(name, []) if isinstance(found.get(name, []), list) else [found[name]]
    after = listed({"agent": "q_hidden_size"}.get(part, f"{part}_hidden_size"))
    if _is_recurrent(found):
        before = listed("fc_hidden_sizes")
        width = found.get("recurrent_hidden_size", (before + after + [64])[0])
        return [f"{part}.hidden={width}", f"{part}.depth={len(before)}", f"{part}.after={len(after)}"]
    widths = listed("representation_hidden_size") + after
    return [f"{part}.hidden={widths[0]}", f"{part}.depth={len(widths)}"] if widths else []


def _rules(name: str, found: Found) -> dict[str, Rule]:
    """Return the rules of an algorithm's settings."""
    rules = _TAKEN | _MISSING | _part_rules(name, found) | _counting_rules(name, found)
    for key, (here, otherwise) in _SAME_HERE.items():
        rules[key] = nothing() if found.get(key) == here else otherwise
    if found.get("use_grad_clip") is False:
        rules["grad_clip_norm"] = nothing("use_grad_clip is False")
    if not found.get("use_linear_lr_decay"):
        rules["end_factor_lr_decay"] = nothing()
    return rules


def _part_rules(name: str, found: Found) -> dict[str, Rule]:
    """Return the rules of what every network or optimiser gets."""
    valued = name in _VALUE_BASED
    parts = ("agent",) if valued else ("actor", "critic")
    optimisers = ("optimiser",) if valued else ("actor_optimiser", "critic_optimiser")
    network = lambda key: [f"{part}.{key}" for part in parts]
    clip = lambda value, found: [f"{part}.clip={value}" for part in optimisers]
    adam = lambda value, found: [
        w for p in optimisers for w in (f"{p}=adam", f"{p}.eps=1e-5", f"{p}.lr={value}")
    ]
    layers = lambda *own: made(lambda value, found: [word for part in own for word in _layers(part, found)])
    known = found.get("activation", "relu") in ("relu", "tanh")
    rules = {
        "learning_rate": made(adam),
        "grad_clip_norm": made(clip),
        "use_grad_clip": made(lambda value, found: [] if value else clip(0, found)),
        "use_rnn": made(lambda value, found: _network_kinds(name, parts, value)),
        "representation_hidden_size": layers(*parts),
        "fc_hidden_sizes": layers(*parts) if _is_recurrent(found) else nothing(),
        "recurrent_hidden_size": layers(*parts) if _is_recurrent(found) else nothing(),
        "activation": same(*network("activation")) if known else missing("covey has relu and tanh"),
        "normalize": made(lambda value, found: [f"{key}=true" for key in network("norm")] if value else []),
    }
    own = {"agent": "q_hidden_size"}
    return rules | {own.get(part, f"{part}_hidden_size"): layers(part) for part in parts}


def _network_kinds(name: str, parts: tuple[str, ...], recurrent: bool) -> list[str]:
    """Return the kinds of networks; replay then draws whole episodes, or transitions."""
    kinds = [f"{part}={'recurrent' if recurrent else 'feed_forward'}" for part in parts]
    drawn = [] if name in _ON_POLICY else [f"experience.window={'null' if recurrent else 1}"]
    return kinds + drawn


def _counting_rules(name: str, found: Found) -> dict[str, Rule]:
    """Return the rules of numbers that count the steps of all copies, or other things by algorithm."""
    copies = int(found.get("parallels", 1))
    rules = {
        "training_frequency": made(
            _every,
            f"it trains where all {copies} copies' steps are a multiple of it: once in their common multiple",
        ),
        "decay_step_greedy": made(
            lambda value, found: f"epsilon.steps={int(value) // copies}",
            f"it is divided by the {copies} copies there",
        ),
        "start_noise": made(_noise, "of the width sigma, over running_steps"),
        "end_noise": made(_noise),
        "sigma": made(_noise),
    }
    if _is_recurrent(found) and name not in _ON_POLICY:
        rules["training_frequency"] = nothing("with recurrent networks it trains after each copy's episode")
        rules["start_training"] = nothing("it counts steps there, and whole episodes here: a batch of them")
    if name in _ON_POLICY:
        rules["buffer_size"] = made(
            lambda value, found: f"experience.steps={int(value) // copies}",
            "it counts the steps of all copies",
        )
        rules["n_epochs"] = same("epochs")
    else:
        rules["buffer_size"] = same("experience.capacity")
        rules["n_epochs"] = same("experience.updates")
    return rules


_TAKEN = {
    "running_steps": run_option("steps"),
    "parallels": run_option("envs"),
    "seed": run_option("seed", "one seed a run there; covey trains several side by side with --seeds N"),
    "env_seed": nothing("a run's seed gives the world's"),
    "eval_interval": run_option("eval-every"),
    "test_episode": run_option("eval-episodes"),
    "device": made(lambda value, found: f"--device {'gpu' if 'cuda' in str(value) else 'cpu'}"),
    "logger": nothing("covey writes TensorBoard's files, if not told --no-tensorboard, and metrics.jsonl"),
    "log_dir": nothing("a run has one folder: --out DIR"),
    "model_dir": nothing("a run has one folder: --out DIR"),
    "result_dir": nothing("a run has one folder: --out DIR"),
    "gamma": same("gamma"),
    "learning_rate_actor": same("actor_optimiser.lr"),
    "learning_rate_critic": same("critic_optimiser.lr"),
    "batch_size": same("experience.batch_size"),
    "start_training": same("experience.start"),
    "sync_frequency": made(lambda value, found: ["target=hard", f"target.period={value}"]),
    "tau": made(lambda value, found: ["target=soft", f"target.tau={value}"]),
    "start_greedy": same("epsilon.start"),
    "end_greedy": same("epsilon.end"),
    "double_q": same("double"),
    "hidden_dim_mixing_net": same("mixer.embed"),
    "hidden_dim_hyper_net": same("mixer.hyper"),
    "alpha": same("alpha"),
    "use_parameter_sharing": switch(on="sharing=team", off="sharing=none"),
    "use_actions_mask": nothing("covey always masks illegal actions"),
    "use_agents_mask": nothing("covey always leaves out the dead"),
    "use_global_state": switch(off="", remark="see below"),
    "continuous_action": same("env.continuous"),
    "clip_range": same("clip"),
    "value_clip_range": same("value_clip"),
    "use_value_clip": switch(off="value_clip=0"),
    "ent_coef": same("entropy"),
    "gae_lambda": same("lam"),
    "huber_delta": same("huber"),
    "n_minibatch": same("minibatches"),
}

# What covey does anyway, and the rule of anything else.
_SAME_HERE = {
    "dropout": (0, missing()),
    "weight_decay": (0, missing()),
    "N_recurrent_layers": (1, missing("a GRU has one layer")),
    "rnn": ("GRU", missing("covey's recurrent networks are GRUs")),
    "initialize": ("orthogonal", missing()),
    "use_linear_lr_decay": (
        False,
        missing("set the optimiser's lr=linear with .start, .end and .steps (in updates)"),
    ),
    "use_gae": (True, missing("covey has lam=1, which is close")),
    "use_advnorm": (True, missing()),
    "use_value_norm": (True, made(lambda value, found: "normalise_values=false")),
    "use_huber_loss": (True, made(lambda value, found: "huber=1e6")),
    "distributed_training": (False, missing()),
}

_MISSING = {
    "vf_coef": missing("two networks have no common loss; with trunk=shared: trunk.value_coefficient"),
    "target_kl": missing(),
    "activation_action": missing(),
    "gain": missing("covey has a gain of each network: actor.gain, critic.gain"),
    "end_factor_lr_decay": missing("see use_linear_lr_decay"),
}
