"""PyMARL, EPyMARL and PyMARL2: `python src/main.py --config=qmix --env-config=sc2 with env_args.map_name=3m`.

The meanings are those of their configuration files and learners (oxwhirl/pymarl c971afdc, uoe-agents/epymarl
cbc38c09, hijkzzz/pymarl2 8ccac7c5).
"""

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
    number_text,
    run_option,
    same,
    switch,
    translate_settings,
)

_ALGORITHMS = ("iql", "vdn", "qmix", "coma", "cw_qmix", "ow_qmix", "mappo", "ippo", "maddpg")
_VALUE_BASED = ("iql", "vdn", "qmix", "cw_qmix", "ow_qmix")
_GAMES = {
    "pz-mpe-simple-spread-v3": "spread",
    "pz-mpe-simple-tag-v3": "tag",
    "pz-mpe-simple-speaker-listener-v4": "speaker_listener",
    "pz-mpe-simple-adversary-v3": "adversary",
    "pz-mpe-simple-reference-v3": "reference",
    "climbing-nostate-v0": "matrix/climbing",
    "penalty-100-nostate-v0": "matrix/penalty",
}


def translate_pymarl(words: list[str]) -> Translation:
    """Translate the words after `main.py`."""
    flags = {
        word[2:].partition("=")[0]: word.partition("=")[2]
        for word in words
        if word.startswith("--") and "=" in word
    }
    pairs = words[words.index("with") + 1 :] if "with" in words else []
    found = yaml_text.parse_pairs(pairs)
    name = flags.get("config", "")
    base = name.removesuffix("_ns")
    if base not in _ALGORITHMS:
        known = ", ".join(_ALGORITHMS)
        raise UserError(f"--config={name or '?'} has no counterpart here: covey has {known}, also with _ns")
    environment = _world(flags.get("env-config", ""), found)
    translation = Translation("PyMARL", base, environment)
    if name.endswith("_ns"):
        translation.words.append("sharing=none")
        translation.taken.append((f"--config={name}", f"{base} sharing=none"))
    if environment.startswith("skirmish/"):
        translation.notes.append(
            f"{environment} is covey's own battle, in SMAC's language; the game itself is smac:"
            f"{environment.partition('/')[2]}. PyMARL counts a timeout as the end: env.timeout=terminal."
        )
    if base in ("qmix", "vdn", "iql"):
        translation.notes.append(
            f"{base} with preset=original has PyMARL's defaults: a buffer of 5,000 episodes, batches of 32, "
            "epsilon from 1 to .05 over 50,000 steps, a target copied every 200 updates, RMSProp with 5e-4. "
            "The files of EPyMARL and PyMARL2 have others: name theirs after `with`, and they are taken over."
        )
    ignored = ("env_args.map_name", "env_args.key", "name", "env_args.seed")
    return translate_settings(translation, found, _rules(base), ignored)


def pymarl_world(config: str, name: str) -> str:
    """Return the world of an environment's configuration and of its map or key."""
    return _world(config, {"env_args.map_name": name, "env_args.key": name})


def _world(config: str, found: Found) -> str:
    """Return the world that an environment's configuration names."""
    key = str(found.get("env_args.key", "")).rpartition(":")
    if config in ("sc2", "sc2_beta", "smaclite", ""):
        return f"skirmish/{found.get('env_args.map_name', '3m')}"
    if config == "sc2v2":
        return f"skirmish/{found.get('env_args.map_name', 'terran_5_vs_5')}"
    if config == "gymma" and key[2] in _GAMES:
        return _GAMES[key[2]]
    if config == "gymma" and key[2]:
        return f"gym:{key[2]}"
    raise UserError(
        f"--env-config={config} names no world that covey knows: it takes sc2, sc2v2, smaclite, and gymma "
        "with env_args.key=…"
    )


def _time_limit(value: Any, found: Found) -> str:
    """Return the steps of an episode; a matrix game plays as many rounds."""
    game = str(found.get("env_args.key", "")).startswith("matrixgames:")
    return f"env.{'rounds' if game else 'horizon'}={number_text(value)}"


def _target_period(value: Any, found: Found) -> str:
    copies = found.get("batch_size_run", 1)
    return f"target.period={max(1, round(value / copies))}"


def _target(value: Any, found: Found) -> str | list[str]:
    return ["target=soft", f"target.tau={value}"] if value < 1 else _target_period(value, found)


def _rules(algorithm: str) -> dict[str, Rule]:
    """Return the rules of an algorithm's settings."""
    valued = algorithm in _VALUE_BASED
    optimisers = ("optimiser",) if valued else ("actor_optimiser", "critic_optimiser")
    networks = ("agent",) if valued else ("actor", "critic")
    return _TAKEN | _MISSING | _optimiser_rules(optimisers) | _network_rules(networks)


def _optimiser_rules(optimisers: tuple[str, ...]) -> dict[str, Rule]:
    """Return the rules of what every optimiser gets."""
    return {
        "lr": same(*_each(optimisers, "lr")),
        "optim_alpha": same(*_each(optimisers, "decay")),
        "optim_eps": same(*_each(optimisers, "eps")),
        "grad_norm_clip": same(*_each(optimisers, "clip")),
        "optimizer": made(lambda value, found: [f"{part}={str(value).lower()}" for part in optimisers]),
    }


def _network_rules(networks: tuple[str, ...]) -> dict[str, Rule]:
    """Return the rules of what every network gets."""
    kinds = lambda value, found: [
        f"{network}={'recurrent' if value else 'feed_forward'}" for network in networks
    ]
    return {
        "rnn_hidden_dim": same(*_each(networks, "hidden")),
        "hidden_dim": same(*_each(networks, "hidden")),
        "use_rnn": made(kinds),
    }


def _each(parts: tuple[str, ...], name: str) -> list[str]:
    """Return a setting of every part."""
    return [f"{part}.{name}" for part in parts]


_TAKEN = {
    "t_max": run_option("steps"),
    "batch_size_run": run_option("envs"),
    "seed": run_option("seed", "one seed a run there; covey trains several side by side with --seeds N"),
    "local_results_path": run_option("out"),
    "use_cuda": made(lambda value, found: ["--device gpu"] if value else ["--device cpu"]),
    "test_interval": run_option("eval-every"),
    "test_nepisode": run_option("eval-episodes"),
    "buffer_size": same("experience.capacity"),
    "batch_size": same("experience.batch_size"),
    "gamma": same("gamma"),
    "td_lambda": same("lam"),
    "double_q": same("double"),
    "mixing_embed_dim": same("mixer.embed"),
    "hypernet_embed": same("mixer.hyper"),
    "epsilon_start": same("epsilon.start"),
    "epsilon_finish": same("epsilon.end"),
    "epsilon_anneal_time": same("epsilon.steps"),
    "target_update_interval": made(
        _target_period, "it counts episodes there, and updates here: divided by batch_size_run"
    ),
    "target_update_interval_or_tau": made(
        _target, "below 1 it is tau; else it counts episodes there, and updates here"
    ),
    "obs_agent_id": same("agent_id"),
    "obs_last_action": same("last_action"),
    "standardise_rewards": same("standardise_rewards"),
    "common_reward": switch(
        off="reward=own", remark="covey's team reward is the mean over agents, EPyMARL's the sum"
    ),
    "reward_scalarisation": nothing(
        "covey's team reward is the mean: returns differ by the number of agents"
    ),
    "epochs": same("epochs"),
    "eps_clip": same("clip"),
    "save_model": nothing("covey always saves"),
    "save_model_interval": made(
        lambda value, found: f"--keep every={number_text(value)}",
        "weights alone; the checkpoint to resume from follows the clock: --save-every SECONDS",
    ),
    "use_tensorboard": switch(off="--no-tensorboard"),
}

_MISSING = {
    "q_nstep": missing("take lam=…, TD(lambda), in its place"),
    "entropy_coef": same("entropy"),
    "env_args.time_limit": made(_time_limit),
    "env_args.difficulty": missing("covey's enemies play by one script: env.enemy=…"),
    "checkpoint_path": missing(
        "continue a run with `covey resume RUN`, or start from its weights with --from RUN"
    ),
    "load_step": missing(
        "`covey resume RUN` goes on from the last checkpoint, --from RUN@STEP starts from a kept one"
    ),
    "evaluate": missing("`covey eval RUN` evaluates a run"),
    "render": missing("`covey watch RUN` makes a film"),
    "save_replay": missing("`covey watch RUN` makes a film"),
}
