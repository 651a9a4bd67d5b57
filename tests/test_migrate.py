"""Commands of other libraries become commands of covey's, and say what changed."""

import re
import shlex
from pathlib import Path

import pytest
from benchmarks.migrated import run_line, translate
from benchmarks.migrated_commands import LINES

from covey.config.config import Config
from covey.errors import UserError
from covey.migrate import translate_command

PAGE = Path(__file__).parents[1] / "docs/migrating.md"

QMIX_YAML = """\
agent: QMIX
env_name: mpe
env_id: simple_spread_v3
running_steps: 10000000
parallels: 16
buffer_size: 100000
batch_size: 256
learning_rate: 0.001
gamma: 0.99
start_greedy: 1.0
end_greedy: 0.05
decay_step_greedy: 2500000
training_frequency: 25
sync_frequency: 100
hidden_dim_mixing_net: 32
hidden_dim_hyper_net: 64
use_parameter_sharing: True
use_rnn: False
representation_hidden_size: [64]
start_training: 1000
eval_interval: 100000
test_episode: 5
"""
COMMANDS = {
    "PyMARL's readme": (
        "python3 src/main.py --config=qmix --env-config=sc2 with env_args.map_name=2s3z",
        ["covey train qmix skirmish/2s3z preset=original"],
    ),
    "PyMARL2's copies": (
        "python3 src/main.py --config=qmix --env-config=sc2 with env_args.map_name=3m batch_size_run=8 "
        "target_update_interval=200 td_lambda=0.6 optimizer=adam",
        ["target.period=25", "lam=0.6", "optimiser=adam", "it counts episodes there"],
    ),
    "EPyMARL": (
        'python src/main.py --config=iql_ns --env-config=gymma with env_args.time_limit=25 '
        'env_args.key="pz-mpe-simple-spread-v3" t_max=4000000 common_reward=True reward_scalarisation=sum',
        ["covey train iql spread", "sharing=none", "the mean", "--steps 4000000"],
    ),
    "EPyMARL's soft target": (
        "python src/main.py --config=vdn --env-config=gymma with "
        "env_args.key=matrixgames:climbing-nostate-v0 target_update_interval_or_tau=0.01 use_rnn=False "
        "hidden_dim=128",
        ["matrix/climbing", "target=soft", "target.tau=0.01", "agent=feed_forward", "agent.hidden=128"],
    ),
    "on-policy's MPE": (
        "python train/train_mpe.py --env_name MPE --algorithm_name rmappo --experiment_name check "
        "--scenario_name simple_spread --num_agents 3 --num_landmarks 3 --seed 1 --n_training_threads 1 "
        "--n_rollout_threads 128 --num_mini_batch 1 --episode_length 25 --num_env_steps 20000000 "
        "--ppo_epoch 10 --use_ReLU --gain 0.01 --lr 7e-4 --critic_lr 7e-4 --use_wandb",
        ["covey train mappo spread", "actor.activation=tanh", "switches it OFF", "experience.steps=25"],
    ),
    "on-policy's SMAC": (
        "python train/train_smac.py --env_name StarCraft2 --algorithm_name rmappo --map_name 3m "
        "--n_rollout_threads 8 --num_mini_batch 1 --episode_length 400 --num_env_steps 10000000 "
        "--ppo_epoch 15 --use_value_active_masks --use_eval --eval_episodes 32",
        ["skirmish/3m", "use_value_active_masks=false", "covey leaves them out"],
    ),
    "on-policy without the state": (
        "python train/train_mpe.py --env_name MPE --scenario_name simple_tag --algorithm_name rmappo "
        "--use_centralized_V --share_policy --layer_N 1",
        ["covey train ippo tag", "sharing=none", "actor.depth=2"],
    ),
    "XuanCe's call": (
        "get_runner(algo='mappo', env='mpe', env_id='simple_spread_v3')",
        ["covey train mappo spread", "not the state"],
    ),
    "XuanCe's older call": (
        "runner = get_runner(method='vdn', env='sc2', env_id='8m', is_test=False)",
        ["covey train vdn skirmish/8m", "one coin"],
    ),
}  # fmt: skip


# Fails if a command that people type is not understood, or loses the trap that it hides.
@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name):
    typed, says = COMMANDS[name]
    text = str(translate_command(typed))
    assert [part for part in says if part not in text] == []


# Fails if a setting of a XuanCe file loses its meaning: both of these are divided by its 16 copies.
def test_a_xuance_file(tmp_path):
    (tmp_path / "qmix.yaml").write_text(QMIX_YAML)
    translation = translate_command(str(tmp_path / "qmix.yaml"))
    assert "epsilon.steps=156250" in translation.command
    assert "experience.every=400" in translation.command
    assert translation.lacking == []
    assert "decay_step_greedy=2500000" in dict(translation.changed)


# Fails if a command that `migrate` prints is one that `train` refuses.
@pytest.mark.parametrize("name", COMMANDS)
def test_what_comes_out_can_be_typed(name):
    words = shlex.split(translate_command(COMMANDS[name][0]).command)
    assert words[:2] == ["covey", "train"]
    pairs = [word for word in words[4:] if "=" in word and not word.startswith("--")]
    config = Config.parse(words[2], words[3], pairs)
    assert config.preset == "original"


# Fails if a line that stands in a readme, a script or a file of its library becomes one that `train` refuses.
@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.library} {line.place}")
def test_real_lines_can_be_typed(line, tmp_path):
    words = shlex.split(translate(line, tmp_path).command)
    pairs = [word for word in words[4:] if "=" in word and not word.startswith("--")]
    keys = [pair.partition("=")[0] for pair in pairs]
    assert len(keys) == len(set(keys))  # a key is given once
    Config.parse(words[2], words[3], pairs).build()


# Fails if a real line, as it is printed, does not learn.
@pytest.mark.nightly
@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.library} {line.place}")
def test_real_lines_are_run(line):
    found = run_line(line, 8000)
    assert "error" not in found and found["updates"] > 0


def examples():
    """Yield the commands of the page that are followed by what is said, and the lines of that."""
    for block in re.findall(r"```\n(covey migrate .*?)```", PAGE.read_text(), re.DOTALL):
        command, *lines = block.splitlines()
        if any(line.startswith("  ") for line in lines):
            yield command.removeprefix("covey migrate "), [line.strip() for line in lines]


# Fails if the page gives the tool words that it does not say.
@pytest.mark.parametrize(("command", "lines"), list(examples()))
def test_the_page_has_the_words_of_the_tool(command, lines, tmp_path):
    squeezed = lambda text: " ".join(text.split())
    if command.endswith(".yaml"):
        (line,) = (line for line in LINES if line.place in command)
        said = squeezed(str(translate(line, tmp_path)))
    else:
        said = squeezed(str(translate_command(shlex.split(command)[0])))
    assert [line for line in lines if squeezed(line) not in said] == []


def test_every_inverted_flag_has_a_rule():
    """Fails if one of on-policy's flags that mean their opposite would be passed over."""
    from covey.migrate.on_policy import INVERTED, INVERTED_IN_SMAC

    flags = " ".join(f"--{name}" for name in (*INVERTED, "use_state_agent"))
    lacking = dict(translate_command(f"python train_smac.py {flags}").lacking)
    assert [name for name in lacking if "covey does not know it" in lacking[name]] == []
    assert len(INVERTED) + len(INVERTED_IN_SMAC) == 19


# Fails if what cannot be translated ends in a traceback, or in a command that does something else.
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("python src/main.py --config=qtran --env-config=sc2", "no counterpart"),
        ("python src/main.py --config=qmix --env-config=mujoco", "names no world"),
        ("python train_mpe.py --algorithm_name hatrpo", "no counterpart"),
        ("python train_mpe.py seed 1", "is no flag"),
        ("python train_mpe.py --seed", "has no value"),
        ("python run.py", "is no script that is known"),
        ("train qmix", "no command that is known"),
        ("python 'main.py", "not understood"),
        ("get_runner(algo=name)", "not understood"),
        ("get_runner(algo='dcg', env='mpe', env_id='simple_spread_v3')", "no counterpart"),
    ],
)
def test_what_is_not_understood(typed, says):
    with pytest.raises(UserError, match=says):
        translate_command(typed)
