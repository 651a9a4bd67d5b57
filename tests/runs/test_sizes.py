"""Sizes that no machine holds are refused before anything is traced, with the largest that fits."""

import re

import pytest

from covey.config.config import Config
from covey.config.options import command_line_sentence
from covey.errors import SettingError
from covey.runs import sizes

FREE = 16 * 10**9


def refused(pairs=(), **options) -> str:
    config = Config.parse("qmix", "spread", ["preset=original", *pairs], options)
    env, slots = config.build()
    length = max(slot.algorithm.experience.rollout_length(env.spec, config.envs) for slot in slots)
    with pytest.raises(SettingError) as error:
        sizes.check_sizes(config, env.spec, slots, length, FREE)
    return command_line_sentence(error.value)


# Catches a size that goes into a traced program, and an answer without a size that fits.
@pytest.mark.parametrize(
    ("pairs", "options", "named"),
    [
        ([], {"envs": "1e30"}, "--envs "),
        ([], {"eval_episodes": "1e30"}, "--eval-episodes "),
        (["experience.batch_size=1e6"], {}, "experience.batch_size="),
        (["experience.capacity=1e12"], {}, "experience.capacity="),
        (["experience.steps=1e9"], {}, "experience.steps="),
        (["env.horizon=1e9"], {}, "env.horizon="),
    ],
)
def test_what_cannot_fit_is_refused(pairs, options, named):
    said = refused(pairs, **options)
    found = re.search(
        rf"^{named}\S+ needs .* at least, and 16.0 GB are free: set {named}(\d+) or less$", said
    )
    assert found, said
    fits = Config.parse("qmix", "spread", ["preset=original", *(p for p in pairs if "=1e" not in p)], {})
    if named == "--envs ":
        fits.envs = int(found[1])
        env, slots = fits.build()
        sizes.check_sizes(fits, env.spec, slots, env.spec.horizon + 1, FREE)


# Catches an estimate that refuses what runs: every preset's sizes take less than a small machine has.
@pytest.mark.parametrize("algorithm", ["qmix", "mappo", "maddpg", "hyper_mappo"])
def test_presets_fit(algorithm):
    config = Config.parse(algorithm, "tag")
    env, slots = config.build()
    length = max(slot.algorithm.experience.rollout_length(env.spec, config.envs) for slot in slots)
    sizes.check_sizes(config, env.spec, slots, length, 4 * 10**9)
