"""Command lines of other libraries, as their own readmes, scripts and files have them.

A XuanCe file is given by its settings, without what names its classes; `{file}` stands for its path.
"""

from typing import NamedTuple


class Line(NamedTuple):
    """A command line, its library, the place where it stands, and the file that it reads."""

    library: str
    place: str
    command: str
    file: str = ""


_ON_POLICY_MPE = (
    "CUDA_VISIBLE_DEVICES=0 python ../train/train_mpe.py --env_name MPE --algorithm_name rmappo "
    "--experiment_name check --scenario_name {world} --num_agents {agents} --num_landmarks 3 --seed 1 "
    "--n_training_threads 1 --n_rollout_threads 128 --num_mini_batch 1 --episode_length 25 "
    "--num_env_steps {steps} {more} --gain 0.01 --lr 7e-4 --critic_lr 7e-4 "
    '--wandb_name "xxx" --user_name "yuchao"'
)
_XUANCE_QMIX = """\
agent: QMIX
env_name: mpe
env_id: simple_spread_v3
env_seed: 1
continuous_action: False
use_rnn: False
rnn: GRU
N_recurrent_layers: 1
fc_hidden_sizes: [64]
recurrent_hidden_size: 64
dropout: 0
representation_hidden_size: [64]
q_hidden_size: [64]
activation: relu
use_parameter_sharing: False
use_actions_mask: False
hidden_dim_mixing_net: 128
hidden_dim_hyper_net: 128
seed: 1
parallels: 16
buffer_size: 100000
batch_size: 256
learning_rate: 0.001
gamma: 0.99
double_q: True
start_greedy: 1.0
end_greedy: 0.05
decay_step_greedy: 2500000
start_training: 1000
running_steps: 10000000
training_frequency: 25
sync_frequency: 100
use_grad_clip: False
grad_clip_norm: 0.5
eval_interval: 100000
test_episode: 5
log_dir: logs/qmix/
model_dir: models/qmix/
"""
_XUANCE_MAPPO = """\
agent: MAPPO
env_name: mpe
env_id: simple_spread_v3
env_seed: 1
continuous_action: True
use_rnn: False
normalize: LayerNorm
initialize: orthogonal
gain: 0.01
representation_hidden_size: [64]
actor_hidden_size: [64]
critic_hidden_size: [64]
activation: relu
activation_action: sigmoid
use_parameter_sharing: True
seed: 1
parallels: 16
buffer_size: 400
n_epochs: 1
n_minibatch: 1
learning_rate: 0.0007
weight_decay: 0
vf_coef: 0.5
ent_coef: 0.01
target_kl: 0.25
clip_range: 0.2
gamma: 0.95
use_linear_lr_decay: False
end_factor_lr_decay: 0.5
use_global_state: False
use_value_clip: True
value_clip_range: 0.2
use_value_norm: True
use_huber_loss: True
huber_delta: 10.0
use_advnorm: True
use_gae: True
gae_lambda: 0.95
use_grad_clip: True
grad_clip_norm: 10.0
running_steps: 10000000
eval_interval: 100000
test_episode: 5
log_dir: logs/mappo/
model_dir: models/mappo/
"""
_XUANCE_MADDPG = """\
agent: MADDPG
env_name: mpe
env_id: simple_spread_v3
env_seed: 1
continuous_action: True
use_rnn: False
representation_hidden_size: []
actor_hidden_size: [64, 64]
critic_hidden_size: [64, 64]
activation: leaky_relu
activation_action: sigmoid
use_parameter_sharing: False
use_actions_mask: False
seed: 1
parallels: 16
buffer_size: 100000
batch_size: 256
learning_rate_actor: 0.01
learning_rate_critic: 0.001
gamma: 0.95
tau: 0.001
start_noise: 1.0
end_noise: 0.01
sigma: 0.1
start_training: 1000
running_steps: 10000000
training_frequency: 25
use_grad_clip: False
grad_clip_norm: 0.5
eval_interval: 100000
test_episode: 5
log_dir: logs/maddpg/
model_dir: models/maddpg/
"""

LINES = (
    Line(
        "PyMARL",
        "README.md",
        "python3 src/main.py --config=qmix --env-config=sc2 with env_args.map_name=2s3z",
    ),
    Line(
        "PyMARL2",
        "run.sh qmix 6h_vs_8z",
        "python3 src/main.py --config=qmix --env-config=sc2 with env_args.map_name=6h_vs_8z "
        "epsilon_anneal_time=500000 td_lambda=0.3",
    ),
    Line(
        "EPyMARL",
        "README.md",
        "python src/main.py --config=qmix --env-config=gymma with env_args.time_limit=25 "
        'env_args.key="matrixgames:penalty-100-nostate-v0"',
    ),
    Line(
        "EPyMARL",
        "README.md",
        "python src/main.py --config=qmix --env-config=gymma with env_args.time_limit=25 "
        'env_args.key="pz-mpe-simple-spread-v3"',
    ),
    Line(
        "EPyMARL",
        "README.md",
        'python src/main.py --config=qmix --env-config=sc2v2 with env_args.map_name="protoss_5_vs_5"',
    ),
    Line(
        "EPyMARL",
        "README.md",
        "python src/main.py --config=qmix --env-config=smaclite with env_args.time_limit=150 "
        'env_args.map_name="MMM"',
    ),
    Line(
        "on-policy",
        "train_mpe_spread.sh",
        _ON_POLICY_MPE.format(
            world="simple_spread", agents=3, steps=20000000, more="--ppo_epoch 10 --use_ReLU"
        ),
    ),
    Line(
        "on-policy",
        "train_mpe_reference.sh",
        _ON_POLICY_MPE.format(world="simple_reference", agents=2, steps=3000000, more="--ppo_epoch 15"),
    ),
    Line(
        "on-policy",
        "train_mpe_comm.sh",
        _ON_POLICY_MPE.format(world="simple_speaker_listener", agents=2, steps=2000000, more="--ppo_epoch 15")
        + " --share_policy",
    ),
    Line(
        "on-policy",
        "train_smac_3m.sh",
        "CUDA_VISIBLE_DEVICES=0 python ../train/train_smac.py --env_name StarCraft2 --algorithm_name rmappo "
        "--experiment_name check --map_name 3m --seed 1 --n_training_threads 1 --n_rollout_threads 8 "
        "--num_mini_batch 1 --episode_length 400 --num_env_steps 10000000 --ppo_epoch 15 "
        "--use_value_active_masks --use_eval --eval_episodes 32",
    ),
    Line("XuanCe", "configs/qmix/mpe/simple_spread_v3.yaml", "{file}", _XUANCE_QMIX),
    Line("XuanCe", "configs/mappo/mpe/simple_spread_v3.yaml", "{file}", _XUANCE_MAPPO),
    Line(
        "XuanCe",
        "configs/maddpg/mpe/simple_spread_v3.yaml",
        'get_runner(algo="maddpg", env="mpe", env_id="simple_spread_v3", config_path="{file}")',
        _XUANCE_MADDPG,
    ),
)
