"""A command line becomes an environment and its learners; a configuration becomes YAML and is read back."""

from pathlib import Path

import pytest

from covey import yaml_text
from covey.algorithms.qmix import QMIX
from covey.algorithms.random import Random
from covey.config import catalogue, settings, tuned
from covey.config.config import Config
from covey.config.options import command_line_sentence
from covey.config.trust import trusting
from covey.environments.particles.spread import Spread
from covey.errors import UserError
from covey.networks.mixers import SumMixer
from covey.parts import ConstantSchedule, Factory

TAG = """
from covey.core import AbstractEnvironment, Spec, Traits
from covey.algorithms.random import Random

class Tag(AbstractEnvironment):
    spec: Spec
    def __init__(self, prey: int = 1):
        names = ("wolf_0", "wolf_1", *(f"agent_{i}" for i in range(prey)))
        self.spec = Spec(names, 4, 5, 25, team=tuple(name[:-2] for name in names))
    def reset(self, key, n): ...
    def step(self, state, action, key): ...

class Selfish(Random):
    gamma: float = 0.9

class Steering(Random):
    traits = Random.traits._replace(discrete=False)

def nothing(): ...
"""


@pytest.fixture(autouse=True)
def tag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tag.py").write_text(TAG)


def sentence(call, *args) -> str:
    with pytest.raises(UserError) as error:
        call(*args)
    return str(error.value)


def refused(algorithm: str | None, environment: str | None, *pairs: str, **options) -> str:
    return sentence(Config.parse, algorithm, environment, pairs, options)


# Catches a setting that does not arrive in what is built, or a number that is not read from text.
def test_from_a_command_line_to_what_runs():
    parsed = Config.parse(
        "vdn", "spread", ["preset=original", "env.agents=4", "epsilon=.1"], {"steps": "1e6", "seeds": None}
    )
    env, (slot,) = parsed.build()
    assert isinstance(env, Spread)
    assert (slot.name, slot.members) == ("team", (0, 1, 2, 3))
    wanted = QMIX(mixer=Factory(SumMixer), epsilon=ConstantSchedule(0.1))
    assert settings.dump(slot.algorithm) == settings.dump(wanted)
    assert (parsed.steps, parsed.eval_every, parsed.seeds) == (1_000_000, 50_000, Config.seeds)
    assert parsed.learners["team"]["name"] == "vdn"
    assert parsed.env["agents"] == 4


# Catches settings from Python that are read otherwise than on a command line.
def test_from_python():
    here = Config.parse(
        "qmix", "spread", {"gamma": 0.5, "mixer": {"embed": 8}, "env": {"agents": 2}}, {"steps": 100}
    )
    assert here == Config.parse(
        "qmix", "spread", ["gamma=.5", "mixer.embed=8", "env.agents=2"], {"steps": "100"}
    )


# Catches a value that is lost, or changed, on the way to a run's folder and back.
@pytest.mark.parametrize("algorithm", ["qmix", "wolf=qmix+agent=iql", "agent=vdn", "tag.py:Selfish"])
def test_yaml_and_back(algorithm, tmp_path):
    parsed = Config.parse(
        algorithm, "tag.py:Tag", ["env.prey=2"], {"seed": "3", "device": "cpu", "source": "runs/x"}
    )
    path = tmp_path / "run" / "config.yaml"
    parsed.to_yaml(path)
    assert Config.parse(None, None, [], {"config": path}) == parsed
    with trusting():
        assert Config.from_yaml(path) == parsed
        assert Config.from_yaml(path).build()[1] == parsed.build()[1]


# Catches a file that wins over the command line, or a preset that wins over a file.
def test_who_has_the_last_word(tmp_path, monkeypatch):
    monkeypatch.setattr(tuned, "PRESETS", tmp_path)
    (tmp_path / "qmix").mkdir()
    (tmp_path / "qmix" / "spread.yaml").write_text(
        "gamma: 0.1\nlam: 0.1\nmixer.hyper: 7\nrun: {envs: 3, steps: 40}\n"
    )
    (tmp_path / "mine.yaml").write_text("learners: {team: {gamma: 0.2, lam: 0.2}}\nenvs: 4\n")
    file = {"config": tmp_path / "mine.yaml"}
    tree = lambda parsed: {name: parsed.learners["team"][name] for name in ("gamma", "lam")}
    parsed = Config.parse("qmix", "spread", ["gamma=.3"], file)
    assert tree(parsed) == {"gamma": 0.3, "lam": 0.2}
    assert parsed.learners["team"]["mixer"] == {"name": "monotonic", "embed": 32, "hyper": 7}
    assert (parsed.envs, parsed.steps, parsed.eval_every, parsed.preset) == (4, 40, 2, "tuned")
    parsed = Config.parse("qmix", "spread", ["preset=original"], {"steps": 10})
    assert tree(parsed) == {"gamma": QMIX().gamma, "lam": QMIX().lam}
    assert (parsed.envs, parsed.preset) == (Config.envs, "original")


# Catches a preset with a key that nobody reads, or for a world that is not there.
@pytest.mark.parametrize("algorithm", sorted(path.name for path in tuned.PRESETS.iterdir()))
def test_every_preset_can_be_built(algorithm: str):
    worlds = tuned.tuned_environments(algorithm)
    assert worlds
    for world in worlds:
        parsed = Config.parse(algorithm, world, ["preset=tuned"])
        assert parsed.preset == "tuned"
        parsed.build()


# Catches a family whose file counts for maps that it does not name, or that loses what it is `like`.
def test_a_family_is_tuned_for_its_maps_alone():
    assert Config.parse("vdn", "skirmish/25m", []).preset == "original"
    parsed = Config.parse("vdn", "skirmish/8m", [])
    assert (parsed.preset, parsed.envs, parsed.learners["team"]["lam"]) == ("tuned", 64, 0.6)


# Catches a learner that gets another's agents or settings, or a team that nobody plays.
def test_teams_and_who_learns_for_them():
    alone = Config.parse("qmix", "tag.py:Tag", ["gamma=.5"])
    _, slots = alone.build()
    assert [(slot.name, type(slot.algorithm), slot.members) for slot in slots] == [
        ("wolf", QMIX, (0, 1)),
        ("agent", Random, (2,)),
    ]
    assert alone.notes == [
        "nobody learns for agent, who act at random; to change that, train wolf=qmix+agent=..."
    ]

    both = Config.parse(
        "wolf=qmix+agent=iql", "tag.py:Tag", ["gamma=.5", "agent.gamma=.6", "agent.hidden=8", "env.prey=3"]
    )
    gammas = {name: (tree["gamma"], tree["agent"]["hidden"]) for name, tree in both.learners.items()}
    assert gammas == {"wolf": (0.5, 8), "agent": (0.6, 8)}
    assert [slot.members for slot in both.build()[1]] == [(0, 1), (2, 3, 4)]
    assert not both.notes

    selfish = Config.parse("tag.py:Selfish", "tag.py:Tag", ["gamma=.5"])
    (slot,) = selfish.build()[1]
    assert (slot.name, slot.members) == ("all", (0, 1, 2))


# Catches a policy that cannot be tried elsewhere because a team has another name there.
def test_elsewhere():
    parsed = Config.parse("wolf=qmix+agent=iql", "tag.py:Tag").elsewhere("tag.py:Tag", {"prey": 4})
    assert parsed.env == {"prey": 4}
    said = sentence(parsed.elsewhere, "spread", {})
    assert said == "spread has teams team, the run learned wolf, agent"
    moved = Config.parse("qmix", "spread").elsewhere("two_step", {})
    assert [slot.members for slot in moved.build()[1]] == [(0, 1)]


# Catches a run that stops working when the user's file is edited or gone.
def test_a_users_files_can_be_moved(tmp_path):
    parsed = Config.parse("wolf=qmix+agent=tag.py:Selfish", "tag.py:Tag")
    assert parsed.files == (Path("tag.py"),)
    kept = tmp_path / "kept.py"
    kept.write_text(TAG)
    moved = parsed.with_files(lambda path: kept)
    assert moved.files == (kept,)
    (tmp_path / "tag.py").unlink()
    assert moved.build()[0].spec.agents == 3


# Catches bad input that is let through, or answered without a sentence that names the remedy.
@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (["qmx", "spread"], {}, "unknown algorithm 'qmx' (did you mean qmix?): `covey list` shows them all"),
        (
            ["qmix", "spred"],
            {},
            "unknown environment 'spred' (did you mean spread?): `covey list` shows them all",
        ),
        (
            ["random", "spread", "gamma=.9"],
            {},
            "random has no setting 'gamma': `covey describe random` lists them",
        ),
        ([None, "spread"], {}, "no algorithm is named: write `covey train ALGORITHM ENVIRONMENT`"),
        (
            ["qmix", "spread", "gama=.9"],
            {},
            "qmix has no setting 'gama' (did you mean gamma?): `covey describe qmix`",
        ),
        (
            ["qmix", "spread", "env.agent=5"],
            {},
            "spread has no setting 'env.agent' (did you mean env.agents?)",
        ),
        (
            ["qmix", "spread", "env.agents=0"],
            {},
            "env.agents takes a whole number between 1 and 4,096, not 0",
        ),
        (
            ["qmix", "matrix", "env.rounds=0"],
            {},
            "env.rounds takes a whole number of at least 1, not 0",
        ),
        (
            ["qmix", "spread", "env.agents=two"],
            {},
            'env.agents takes a whole number between 1 and 4,096, not "two"',
        ),
        (["qmix", "spread", "gamma=high"], {}, 'gamma takes a number between 0 and 1, not "high"'),
        (["qmix", "spread", "steps=5"], {}, "steps is the run's, not the algorithm's: write steps=5"),
        (["qmix", "spread"], {"seeds": "0"}, "seeds takes a whole number between 1 and 10,000, not 0"),
        (
            ["qmix", "spread"],
            {"eval_episodes": -1},
            "eval_episodes takes a whole number of at least 1, not -1",
        ),
        (
            ["qmix", "spread"],
            {"steps": "many"},
            'steps takes a whole number between 1 and 2,000,000,000, not "many"',
        ),
        (["qmix", "spread"], {"seed": -1}, "seed takes a whole number between 0 and 2,147,483,647, not -1"),
        (["qmix", "spread"], {"device": "tpu"}, 'device takes cpu or gpu or null, not "tpu"'),
        (["qmix", "spread", "preset=best"], {}, 'preset takes original or tuned, not "best"'),
        (
            ["iql", "probe/recall", "preset=tuned"],
            {},
            "nothing is tuned for iql in probe/recall: leave out preset=tuned",
        ),
        (["red=qmix", "tag.py:Tag"], {}, "tag.py:Tag has no team 'red': its teams are wolf, agent"),
        (
            ["qmix", "spread", "env.continuous=true"],
            {},
            "qmix chooses among discrete actions, but spread has continuous ones: "
            "set env.continuous=false, or take another algorithm",
        ),
        (
            ["tag.py:Steering", "tag.py:Tag"],
            {},
            "tag.py:Steering needs continuous actions, but tag.py:Tag has discrete",
        ),
        (
            ["tag.py:Tag", "spread"],
            {},
            "tag.py:Tag is no AbstractAlgorithm: derive it from covey.core.AbstractAlgorithm",
        ),
        (
            ["qmix", "tag.py:nothing"],
            {},
            "tag.py:nothing makes no environment: derive it from covey.core:Abstract",
        ),
        (["qmix", "tag.py:Tug"], {}, "tag.py:Tug: tag.py has no 'Tug' (did you mean Tag?)"),
    ],
)
def test_bad_input(arguments, options, said):
    assert refused(*arguments, **options).startswith(said)


# Catches fields of the run that are not called as they are typed.
@pytest.mark.parametrize(
    ("pairs", "options", "said"),
    [
        (["steps=5"], {}, "steps is the run's, not the algorithm's: write --steps 5"),
        ([], {"seeds": "0"}, "--seeds takes a whole number between 1 and 10,000, not 0"),
        ([], {"eval_episodes": -1}, "--eval-episodes takes a whole number of at least 1, not -1"),
        ([], {"seed": -1}, "--seed takes a whole number between 0 and 2,147,483,647, not -1"),
        ([], {"steps": "many"}, '--steps takes a whole number between 1 and 2,000,000,000, not "many"'),
        (["env.continuous=1"], {}, "env.continuous takes true or false, not 1"),
    ],
)
def test_the_command_line_names_its_options(pairs, options, said):
    with pytest.raises(UserError) as error:
        Config.parse("qmix", "spread", pairs, options)
    assert command_line_sentence(error.value) == said


# Catches an old name that is answered as if it had never been one.
def test_old_names_are_answered_with_the_new(tmp_path):
    said = refused("qmix", "spread", "experience=fresh")
    assert said == "experience=fresh is called on_policy: write experience=on_policy"
    (tmp_path / "old.yaml").write_text("sides: {team: {gamma: 1}}")
    said = refused("qmix", "spread", config="old.yaml")
    assert said == "old.yaml: 'sides' is called 'learners': write learners in its place"
    said = refused("hyper_mappo", "spread", "ppo.gamma=.9")
    assert said == "ppo.gamma is called gamma: write gamma=…"
    said = refused("wolf=hyper_mappo+agent=iql", "tag.py:Tag", "wolf.ppo.actor.hidden=8")
    assert said == "ppo.actor.hidden is called actor.hidden: write actor.hidden=…"
    (tmp_path / "old.yaml").write_text("learners: {team: {ppo: {gamma: 1}}}")
    said = refused("hyper_mappo", "spread", config="old.yaml")
    assert said == "ppo.gamma is called gamma: write gamma=…"


# Catches an algorithm's base that is not set from where its settings stand, or is not written down.
@pytest.mark.parametrize(
    ("algorithm", "base"), [("hyper_mappo", "ppo"), ("wqmix", "qmix"), ("dual_q", "maddpg")]
)
def test_a_base_is_set_by_its_own_names(algorithm, base):
    parsed = Config.parse(
        algorithm, "spread", ["preset=original", "gamma=.5", "sharing=all", "agent_id=true"]
    )
    assert base not in parsed.learners["team"]
    assert parsed.learners["team"]["gamma"] == 0.5
    (slot,) = parsed.build()[1]
    part = getattr(slot.algorithm, base)
    assert (part.gamma, part.sharing) == (0.5, "all")
    assert settings.rebuild(type(slot.algorithm), settings.dump(slot.algorithm)) == slot.algorithm


# Catches an opponent that is looked for elsewhere, or a folder that is taken for a run's.
def test_an_opponents_run_is_found_by_its_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    said = refused("wolf=qmix+agent=run:none", "tag.py:Tag")
    assert said == "there is no run folder at none; runs made here lie under runs/"
    said = refused("wolf=qmix+agent=run:empty", "tag.py:Tag")
    assert said == "empty is not a run folder: it holds no config.yaml"
    Config.parse("wolf=qmix+agent=iql", "tag.py:Tag", ["gamma=.5"], {"seeds": 3}).to_yaml(
        tmp_path / "earlier" / "config.yaml"
    )
    with trusting():  # the earlier run names the test's own file, and nobody signed it
        parsed = Config.parse("wolf=qmix+agent=run:earlier", "tag.py:Tag")
    assert parsed.learners["agent"]["player"]["gamma"] == 0.5
    assert parsed.learners["agent"]["seeds"] == 3


# Catches a configuration file whose mistakes go unnoticed.
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("stepz: 5", "there is no 'stepz' (did you mean steps?)"),
        ("steps: [", "bad.yaml is not valid YAML"),
        ("- 1", "bad.yaml must hold `key: value` lines"),
        ("steps: many", 'steps takes a whole number between 1 and 2,000,000,000, not "many"'),
        ("learners: {red: {gamma: 1}}", "spread has no team 'red': its teams are team"),
        ("learners: {team: {gama: 1}}", "qmix has no setting 'gama' (did you mean gamma?)"),
        ("env: {agent: 1}", "spread has no setting 'env.agent' (did you mean env.agents?)"),
    ],
)
def test_bad_files(content, said, tmp_path):
    (tmp_path / "bad.yaml").write_text(content)
    assert refused("qmix", "spread", config="bad.yaml").removeprefix("bad.yaml: ").startswith(said)


# Catches half a configuration that is taken for a run's.
def test_a_runs_configuration_is_whole(tmp_path):
    assert (
        refused("qmix", "spread", config="none.yaml") == "none.yaml cannot be read: No such file or directory"
    )
    (tmp_path / "half.yaml").write_text(yaml_text.to_text({"algorithm": "qmix", "environment": "spread"}))
    assert (
        sentence(Config.from_yaml, Path("half.yaml"))
        == "half.yaml describes no whole run: it lacks learners and env"
    )


# Catches an algorithm whose own settings do not fit its class, or a world that cannot be made by its name.
@pytest.mark.parametrize("algorithm", catalogue.ALGORITHMS)
def test_every_algorithm_can_be_made(algorithm):
    Config.parse(algorithm, "two_step").build()


@pytest.mark.parametrize("environment", catalogue.ENVIRONMENTS)
def test_every_environment_can_be_made(environment):
    Config.parse("random", environment).build()


# Catches an original preset with a key that nobody reads, or with a map that is not there.
@pytest.mark.parametrize("path", sorted(tuned.ORIGINALS.rglob("*.yaml")), ids=lambda path: path.parent.name)
def test_every_original_preset_can_be_built(path: Path):
    maps = yaml_text.read_file(path).get("maps", {})
    assert all(f"{path.stem}/{name}" in catalogue.ENVIRONMENTS for name in maps)
    for name in ("3m", "MMM2", "terran_5_vs_5"):
        parsed = Config.parse(path.parent.name, f"{path.stem}/{name}", ["preset=original"])
        assert parsed.preset == "original"


# Catches a map's own values that are lost, and those of another algorithm that are not taken over.
def test_original_presets_by_map():
    of = lambda algorithm, name: Config.parse(algorithm, f"skirmish/{name}", ["preset=original"])
    for algorithm in ("mappo", "ippo", "hyper_mappo"):
        easy = of(algorithm, "3m")
        hard = of(algorithm, "corridor")
        assert (easy.envs, hard.envs) == (8, 8)
        assert easy.learners["team"]["experience"]["steps"] == 400
        assert (easy.learners["team"]["epochs"], hard.learners["team"]["epochs"]) == (15, 5)
    assert of("mappo", "5m_vs_6m").learners["team"]["clip"] == 0.05
    alike = [of(name, "2s3z") for name in ("qmix", "vdn", "iql", "cw_qmix", "ow_qmix")]
    assert {x.envs for x in alike} == {1}
    assert {x.learners["team"]["experience"]["steps"] for x in alike} == {50}
    assert [x.learners["team"]["alpha"] for x in alike[3:]] == [0.75, 0.5]
    assert Config.parse("qmix", "spread", ["preset=original"]).envs == Config.envs
