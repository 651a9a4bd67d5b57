"""on-policy (marlbenchmark/on-policy de66d7a4): `python train_mpe.py --algorithm_name rmappo …`."""

from typing import Any

from ..errors import UserError
from .translation import (
    Found,
    Translation,
    made,
    missing,
    nothing,
    number_text,
    run_option,
    same,
    switch,
    translate_settings,
)

# Declared `store_false` with the default True: who names them switches them OFF.
INVERTED = (
    "cuda", "cuda_deterministic", "use_wandb", "share_policy", "use_centralized_V", "use_ReLU",
    "use_valuenorm", "use_feature_normalization", "use_orthogonal", "use_recurrent_policy",
    "use_clipped_value_loss", "use_max_grad_norm", "use_gae", "use_huber_loss", "use_value_active_masks",
    "use_policy_active_masks",
)  # fmt: skip
INVERTED_IN_SMAC = ("use_state_agent", "use_mustalive", "add_center_xy")
_SWITCHES = (
    "use_eval",
    "use_linear_lr_decay",
    "use_popart",
    "use_obs_instead_of_state",
    "use_render",
    "save_gifs",
)
_SCENARIOS = {
    "simple_spread": "spread", "simple_tag": "tag", "simple_reference": "reference",
    "simple_speaker_listener": "speaker_listener", "simple_adversary": "adversary",
}  # fmt: skip
_OFF = "naming it switches it OFF there, whatever its name says"


def translate_on_policy(script: str, words: list[str]) -> Translation:
    """Translate the flags of one of its training scripts."""
    found = _read_flags(script, words)
    name = str(found.get("algorithm_name", "rmappo"))
    if name not in ("rmappo", "mappo", "ippo"):
        raise UserError(f"--algorithm_name {name} has no counterpart here: covey has rmappo, mappo and ippo")
    local = name == "ippo" or found.get("use_centralized_V") is False
    translation = Translation("on-policy", "ippo" if local else "mappo", _world(script, found))
    if name == "mappo":
        translation.words += ["actor=feed_forward", "critic=feed_forward"]
        translation.taken.append(("--algorithm_name mappo", "feed-forward networks (rmappo has a GRU)"))
    if "episode_length" not in found:
        translation.notes.append(
            "on-policy collects rollouts of 200 steps (400 in SMAC's scripts), and covey whole episodes: "
            "experience.steps=200 is theirs."
        )
    ignored = ("algorithm_name", "env_name", "scenario_name", "map_name", "user_name", "num_landmarks")
    return translate_settings(translation, found, _TAKEN | _SWITCHED_OFF | _MISSING, ignored)


def _read_flags(script: str, words: list[str]) -> dict[str, Any]:
    """Return every flag's effect: a flag that switches something off is False."""
    inverted = INVERTED + (INVERTED_IN_SMAC if "smac" in script else ())
    found: dict[str, Any] = {}
    place = 0
    while place < len(words):
        name = words[place].removeprefix("--")
        if not words[place].startswith("--"):
            raise UserError(f"'{words[place]}' is no flag of {script}: its flags are written --name value")
        if name in inverted or name in _SWITCHES:
            found[name] = name not in inverted
            place += 1
            continue
        if place + 1 == len(words):
            raise UserError(f"--{name} has no value")
        found[name] = _value(words[place + 1])
        place += 2
    return found


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _world(script: str, found: Found) -> str:
    if "smac" in script:
        return f"skirmish/{found.get('map_name', '3m')}"
    scenario = str(found.get("scenario_name", "simple_spread"))
    if "mpe" in script and scenario in _SCENARIOS:
        return _SCENARIOS[scenario]
    if "football" in script:
        return f"football:{scenario}"
    raise UserError(f"{script} with --scenario_name {scenario} names no world that covey knows")


def _eval_every(value: Any, found: Found) -> str:
    steps = value * found.get("episode_length", 200) * found.get("n_rollout_threads", 32)
    return f"--eval-every {number_text(steps)}"


def _both(name: str) -> tuple[str, str]:
    return f"actor_optimiser.{name}", f"critic_optimiser.{name}"


def _agents(value: Any, found: Found) -> list[str]:
    """Return the number of agents, where a world has any choice."""
    return [f"env.agents={value}"] if found.get("scenario_name", "simple_spread") == "simple_spread" else []


def _depth(value: Any, found: Found) -> list[str]:
    return [f"actor.depth={value + 1}", f"critic.depth={value + 1}"]


_TAKEN = {
    "num_env_steps": run_option("steps"),
    "seed": run_option("seed", "one seed a run there; covey trains several side by side with --seeds N"),
    "experiment_name": made(lambda value, found: f"--out runs/{value}"),
    "n_rollout_threads": run_option("envs"),
    "n_training_threads": nothing("covey takes every core"),
    "num_agents": made(_agents),
    "episode_length": made(
        lambda value, found: f"experience.steps={value}",
        "its episode is a rollout of so many steps, not the world's",
    ),
    "ppo_epoch": same("epochs"),
    "num_mini_batch": same("minibatches"),
    "clip_param": same("clip", "value_clip"),
    "entropy_coef": same("entropy"),
    "gamma": same("gamma"),
    "gae_lambda": same("lam"),
    "lr": same("actor_optimiser.lr"),
    "critic_lr": same("critic_optimiser.lr"),
    "opti_eps": same(*_both("eps")),
    "max_grad_norm": same(*_both("clip")),
    "hidden_size": same("actor.hidden", "critic.hidden"),
    "layer_N": made(_depth, "its network has a first layer and so many more"),
    "data_chunk_length": same("chunk"),
    "huber_delta": same("huber"),
    "eval_interval": made(_eval_every, "it counts rollouts there, and steps here"),
    "eval_episodes": run_option("eval-episodes"),
    "use_eval": nothing("covey always evaluates"),
    "log_interval": nothing("it counts rollouts there; covey reports about every second"),
    "save_interval": nothing("it counts rollouts there; covey saves every --save-every seconds"),
    "cuda_deterministic": nothing("covey's bits are the same whenever the command is"),
    "gain": same("actor.gain"),
}

# Flags of which each switches something off.
_SWITCHED_OFF = {
    "cuda": switch(off="--device cpu", remark=_OFF),
    "use_wandb": nothing(_OFF),
    "share_policy": switch(off="sharing=none", remark=_OFF),
    "use_centralized_V": nothing(f"{_OFF}: the critic is local, so this is ippo"),
    "use_ReLU": made(
        lambda value, found: ["actor.activation=tanh", "critic.activation=tanh"],
        f"{_OFF}: the networks have tanh",
    ),
    "use_valuenorm": switch(off="normalise_values=false", remark=_OFF),
    "use_feature_normalization": made(lambda value, found: ["actor.norm=false", "critic.norm=false"], _OFF),
    "use_orthogonal": made(lambda value, found: ["actor.gain=null", "critic.gain=null"], _OFF),
    "use_recurrent_policy": made(lambda value, found: ["actor=feed_forward", "critic=feed_forward"], _OFF),
    "use_clipped_value_loss": made(lambda value, found: "value_clip=0", _OFF),
    "use_max_grad_norm": made(lambda value, found: [f"{key}=0" for key in _both("clip")], _OFF),
    "use_gae": missing(f"{_OFF}; covey has lam=1, which is close"),
    "use_huber_loss": made(lambda value, found: "huber=1e6", f"{_OFF}: the loss is a square"),
    "use_value_active_masks": missing(f"{_OFF}: the dead count; covey leaves them out"),
    "use_policy_active_masks": missing(f"{_OFF}: the dead count; covey leaves them out"),
    "use_state_agent": nothing(f"{_OFF}; covey's own: env.use_state_agent, critic_input=agent_state"),
}

_MISSING = {
    "use_linear_lr_decay": missing("set actor_optimiser.lr=linear with .start, .end and .steps (in updates)"),
    "use_popart": missing(),
    "stacked_frames": missing(),
    "value_loss_coef": missing(
        "two networks have no common loss; with trunk=shared: trunk.value_coefficient"
    ),
    "weight_decay": missing(),
    "model_dir": missing("start from a run's weights with --from RUN, or go on with `covey resume RUN`"),
    "use_render": missing("`covey watch RUN` makes a film"),
    "save_gifs": missing("`covey watch RUN` makes a film"),
    "use_obs_instead_of_state": missing("env.obs_instead_of_state=true in skirmish"),
}
