"""The options of everything that trains."""

from typing import Any, Literal, TypedDict

from ..commands import NumberText

Choice = Any  # a name; from Python also a class or an object, and where settings belong a mapping or a run


class TrainOptions(TypedDict, total=False):
    """Options of everything that trains.

    Args:
        seeds (N): the number of seeds to train (5)
        seed (S): the first seed (0)
        steps (N): environment steps of each seed (1,000,000)
        envs (N): copies of the environment for each seed (8, or the preset's)
        eval_every (N): steps between greedy evaluations (a twentieth of the run)
        eval_episodes (N): episodes of an evaluation (32)
        report_every (N): steps between reports (about a second of work)
        save_every (S): seconds between checkpoints (60)
        keep (--keep N|all|every=STEPS): also keep weights by their steps: of the newest N evaluations, of
            all, or every so many steps
        light (--light): keep weights alone in checkpoints: a run that is killed begins anew, to the same bits
        source (--from RUN[@STEP][:PART]): start from the weights of another run, a part of it, or an
            exported agent
        workers (N): processes that step the copies of a Python world, 0: this one (as many as help)
        ahead (--ahead): let a Python world play on while agents learn, with weights that are one update old
        deadline (S): seconds in which a worker must do something, or it is restarted (60)
        device: the device to train on (the best there is)
        config (FILE): settings from a YAML file, or from a run's folder; the command line wins
        tensorboard: write TensorBoard's files
        audit: stop at settings that have no effect
        measure: also measure `stationarity`: how far the team moves between reports
    """

    seeds: NumberText
    seed: NumberText
    steps: NumberText
    envs: NumberText
    eval_every: NumberText
    eval_episodes: NumberText
    report_every: NumberText
    save_every: NumberText
    keep: NumberText
    light: bool
    source: str
    workers: NumberText
    ahead: bool
    deadline: NumberText
    device: Literal["cpu", "gpu"]
    config: Choice
    tensorboard: bool
    audit: bool
    measure: Literal["stationarity"]
