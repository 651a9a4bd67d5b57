"""The effect audit over all that covey ships: no false alarm, and every setting is read.

The usual tier takes each algorithm with two kinds of world and one preset. The nightly tier takes every
algorithm with every world and every preset.
"""

import pytest

from audit.cases import OPTIONS, audit_run
from covey.audit.static import examine
from covey.config.catalogue import ALGORITHMS, ENVIRONMENTS
from covey.config.config import Config
from covey.config.tuned import tuned_environments
from covey.errors import UserError
from covey.runs.engine import Engine

pytestmark = pytest.mark.slow  # runs are trained here

SCRIPTS = {name for name in ALGORITHMS if name.startswith("scripted/")}  # they play battles alone
SHIPPED = sorted(ALGORITHMS.keys() - {"wqmix"} - SCRIPTS)  # wqmix is cw_qmix
BATTLES = ["skirmish/MMM", "skirmish/protoss_5_vs_5"]  # one world: maps differ in their sizes
WORLDS = [name for name in ENVIRONMENTS if not name.startswith("skirmish/")] + BATTLES
KINDS = {  # a world of each kind
    "battles": ("skirmish/3m", {"env.horizon": 10}),
    "continuous": ("spread", {"env.continuous": True}),
    "deaths": ("probe/death", {}),
    "grid": ("predator_prey", {}),
    "memory": ("probe/recall", {}),
    "one step": ("matrix/penalty", {}),
    "particles": ("reference", {}),
    "teams": ("pursuit", {}),
}


def config_of(algorithm: str, world: str, settings: dict, preset: str) -> Config | None:
    """Return a run's configuration; None where the algorithm and the world do not go together."""
    try:
        return Config.parse(algorithm, world, settings, {"preset": preset, "seeds": 1})
    except UserError:
        return None


def original(algorithm: str) -> list[Config]:
    configs = [config_of(algorithm, world, {}, "original") for world in WORLDS]
    return [config for config in configs if config]


def tuned(algorithm: str) -> list[Config]:
    configs = [config_of(algorithm, world, {}, "tuned") for world in tuned_environments(algorithm)]
    return [config for config in configs if config]


def raises_no_alarm(config: Config) -> None:
    findings = examine(config, Engine(config).trainer)
    assert all(v.read for v in findings.settings)
    assert findings.told == []


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", SHIPPED)
def test_no_alarm_in_kinds_of_worlds(algorithm):
    # Would break: an alarm for an algorithm that covey ships, a kind of world, or a family of presets. The
    # kinds are taken in turn, so that each meets several algorithms.
    turn = SHIPPED.index(algorithm)
    configs = [config_of(algorithm, world, settings, "original") for world, settings in KINDS.values()]
    configs = [config for config in configs if config]
    assert len(configs) >= 5
    for place in {turn % len(configs), (turn + len(configs) // 2) % len(configs)}:
        raises_no_alarm(configs[place])
    presets = tuned(algorithm)
    for config in presets and [presets[turn % len(presets)]]:
        raises_no_alarm(config)


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("algorithm", SHIPPED)
def test_no_alarm_anywhere(algorithm):
    # Would break: an alarm in any product of an algorithm, a world and a preset that covey ships.
    configs = original(algorithm)
    assert len(configs) >= 15
    for config in configs + tuned(algorithm):
        raises_no_alarm(config)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", sorted(SCRIPTS))
def test_no_alarm_for_scripts(algorithm):
    # Would break: an alarm for a script, or one of its settings that it does not read.
    raises_no_alarm(Config.parse(algorithm, "skirmish/3m", {}, {"preset": "original"}))
    if algorithm == "scripted/kite":
        raises_no_alarm(Config.parse(algorithm, "skirmish/3m", {"script.retreat": 3}, {"preset": "original"}))


ENTITY = ("actor=entity", "critic=entity")
UNITS = [  # networks of entities: MMM has healers, whose actions name allies
    ("qmix", "MMM", ("agent=entity", "mixer=entity")),
    ("hyper_mappo", "MMM", (*ENTITY, "critic_input=agent")),
    pytest.param("coma", "MMM", (*ENTITY, "critic.recurrent=false"), marks=pytest.mark.nightly),
    pytest.param(
        "ippo", "3m", ("actor=entity", "actor.encoder=attention", "trunk=shared"), marks=pytest.mark.nightly
    ),
    pytest.param("mappo", "3m", (*ENTITY, "env.enemy=policy"), marks=pytest.mark.nightly),
    pytest.param("mappo", "3m", (*ENTITY, "hyper.context=identity"), marks=pytest.mark.nightly),
    pytest.param(
        "dual_q", "3m", ("actor=entity", "actor.recurrent=false", "mixer=entity"), marks=pytest.mark.nightly
    ),
    pytest.param(
        "mappo",
        "3m",
        (*ENTITY, "critic_input=agent_state", "env.use_state_agent=true"),
        marks=pytest.mark.nightly,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "map", "settings"), UNITS)
def test_no_alarm_for_networks_of_entities(algorithm, map, settings):
    # Would break: a weight of such a network that leads nowhere, or a setting of it that nothing reads, where
    # it is an agent, an actor, a critic, a mixer, or an actor whose weights get increments.
    chosen = [*settings, "env.horizon=10"]
    raises_no_alarm(Config.parse(algorithm, f"skirmish/{map}", chosen, {"preset": "original"}))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["qmix", "mappo"])
def test_every_setting_of_coveys_own_is_read(algorithm):
    # Would break: a field of an algorithm, a part or a world that nothing depends on, under any settings.
    config = Config.parse(algorithm, "spread", {}, {"preset": "original"})
    findings = examine(config, Engine(config).trainer, everything=True)
    idle = {v.setting.path for v in findings.settings if not v.read}
    assert len(findings.settings) > 30
    hyper = {f"hyper.{name}" for name in ("generate", "embedding", "embed", "hidden", "depth")}
    assert idle == {"qmix": set(), "mappo": {"squashed", "deviation"} | hyper}[algorithm]


@pytest.mark.slow
@pytest.mark.nightly
def test_every_setting_of_battles_is_read():
    # Would break: a field of the battles' world that nothing depends on, under any settings.
    # MMM has what 3m lacks, several types and medivacs; what is idle there acts on 2s3z.
    def beside(name: str) -> dict[str, str | None]:
        config = Config.parse("random", f"skirmish/{name}", {}, {"preset": "original"})
        findings = examine(config, Engine(config).trainer, everything=True)
        assert len(findings.settings) > 20
        return {v.setting.path: v.condition for v in findings.settings if not v.read}

    always = {
        "env.min_attack_range": "with use_unit_ranges=true",
        "env.num_fov_actions": "with conic_fov=true",
    }
    assert beside("MMM") == always | {"env.obs_aligned_types": None}
    assert beside("2s3z") == always | {"env.obs_heal_bits": None}


SMALL = {
    "qmix": [
        "agent.hidden=8",
        "mixer.embed=4",
        "mixer.hyper=8",
        "experience.capacity=64",
        "experience.batch_size=8",
    ],
    "mappo": ["actor.hidden=8", "critic.hidden=8", "epochs=2"],
}
LEARNING = {
    "a table": ("qmix", "two_step", ["target.period=20", *SMALL["qmix"]]),
    "memory": ("vdn", "probe/recall", ["target.period=20", *SMALL["qmix"][:1], *SMALL["qmix"][3:]]),
    "one step": ("qmix", "matrix/climbing", ["agent=feed_forward", "target=soft", *SMALL["qmix"]]),
    "a table, on-policy": ("mappo", "two_step", SMALL["mappo"]),
    "continuous": ("ippo", "probe/meeting", ["actor=feed_forward", "critic=feed_forward", "entropy=0"]),
    "deaths": ("mappo", "probe/death", ["sharing=none", "normalise_values=false", *SMALL["mappo"]]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEARNING)
def test_no_alarm_while_training(kind):
    # Would break: an alarm for what learns, in one-step games, with dead agents, in continuous worlds.
    algorithm, world, settings = LEARNING[kind]
    options = OPTIONS | {"steps": 4000, "report_every": 2000}
    report = audit_run(Config.parse(algorithm, world, settings, options), chunks=3)
    assert report.judged and report.notes == []
    assert all(module.moved == 1 for module in report.modules.values()), report.modules
