"""Worker of `benchmarks.peers.xuance`: trains XuanCe for a turn at every line it reads.

It runs in XuanCe's own environment, without covey. Log files go to a temporary folder.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from argparse import Namespace

import torch
from xuance.common import get_arguments
from xuance.environment import make_envs
from xuance.torch.agents import QMIX_Agents

STEPS = 4000  # a turn
WORK = {
    "parallels": 8,
    "n_epochs": 1,  # updates after every 8 episodes
    "batch_size": 32,
    "buffer_size": 5000,
    "start_training": 1000,
    "representation": "Basic_RNN",
    "use_rnn": True,
    "fc_hidden_sizes": [64],
    "recurrent_hidden_size": 64,
    "q_hidden_size": [],
    "use_parameter_sharing": True,
    "hidden_dim_mixing_net": 32,
    "hidden_dim_hyper_net": 128,
    "sync_frequency": 200,
    "learning_rate": 5e-4,
    "use_grad_clip": True,
    "grad_clip_norm": 10.0,
    "decay_step_greedy": 50_000,
    "running_steps": 1_000_000,
}


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    answers = sys.stdout
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),  # its progress bars
    ):
        os.chdir(folder)
        work = get_arguments("qmix", "mpe", "simple_spread_v3", parser_args=Namespace(**WORK))
        agent = QMIX_Agents(work, make_envs(work))
        agent.train(STEPS // work.parallels)
        print(json.dumps({}), file=answers, flush=True)
        for _ in sys.stdin:
            steps = agent.current_step
            updates = agent.learner.iterations
            start = time.perf_counter()
            agent.train(STEPS // work.parallels)
            turn = {
                "seconds": time.perf_counter() - start,
                "steps": int(agent.current_step - steps),
                "updates": agent.learner.iterations - updates,
            }
            print(json.dumps(turn), file=answers, flush=True)


if __name__ == "__main__":
    main()
