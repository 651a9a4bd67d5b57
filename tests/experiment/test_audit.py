"""The effect audit: a dozen planted defects, each caught and named; nothing said where nothing is wrong."""

import json
import re
from pathlib import Path

import pytest

from covey.cli import main
from covey.errors import UserError
from covey.experiment import run
from covey.experiment.catalogue import ALGORITHMS, ENVIRONMENTS
from covey.experiment.config import PRESETS, Config
from covey.experiment.effect import table
from covey.experiment.effect.audit import Audit
from covey.experiment.effect.static import examine
from covey.experiment.engine import Engine

PLANTED = Path(__file__).parent / "planted.py"
OPTIONS = {"seeds": 1, "steps": 2000, "report_every": 400, "envs": 4, "eval_episodes": 2}


def planted(name: str, *settings: str, world: str = "two_step", **options) -> Config:
    return Config.parse(f"{PLANTED}:{name}", world, list(settings), OPTIONS | options)


def audited(config: Config, chunks: int = 1) -> dict:
    """What the audit finds: before training, and after some of it."""
    engine = Engine(config)
    audit, states = Audit(config, engine), engine.start()
    audit.begin(states, 0)
    for i in range(chunks):
        states, metrics, _ = engine.advance(states, i * engine.iterations)
        audit.look(states, metrics, (i + 1) * engine.iterations, half=i > 0)
    return audit.finish(states)


def caught(config: Config, chunks: int = 0) -> str:
    """The sentence that a defect gets; `chunks` of training may be needed."""
    with pytest.raises(UserError) as error:
        audited(config, chunks) if chunks else examine(config, Engine(config).trainer)
    return str(error.value)


SENTENCES = {
    "NeverCalled": r"online\.extra is never called: neither acting nor learning depends on it",
    "NotGivenToTheOptimiser": r"online\.mixer never moves.*no optimiser holds moments for it.*ops\.moments",
    "ReadButUnused": r"bonus=0\.5 changes nothing.*what is made of it goes nowhere",
    "TargetNeverUpdated": r"target never follows: update returns it as it was",
    "TargetIsOnline": r"target is online itself",
    "UnreadSetting": r"clip_reward=10\.0 changes nothing.*nobody reads it",
    "DetachedTwice": r"the loss term error has a value but no gradient.*stop_gradient too many",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_caught_before_training(name):
    # Would break: a defect that the traced programs show, and that is let through.
    assert re.search(SENTENCES[name], caught(planted(name)))


@pytest.mark.parametrize("value", ["no", "off", '"false"', "False_"])
def test_a_truth_value_as_text(value):
    # Would break: text, which Python takes for true, where false was meant. Other text may be meant.
    said = r"double is the text '(no|off|false)', which counts as true.*annotate it as bool"
    config = planted("TruthAsText", f"double={value}")
    if value == "False_":
        examine(config, Engine(config).trainer)
    else:
        assert re.search(said, caught(config))


LATER = {
    "Detached": r"online\.agents had no gradient and did not move in \d+ updates.*stop_gradient",
    "MaskOfZeros": r"loss was exactly 0 in \d+ updates.*mask of all zeros",
    "TimesZero": r"online\.extra had no gradient.*multiplied by 0",
    "Frozen": r"online had no gradient",
}


@pytest.mark.parametrize("name", LATER)
def test_caught_while_training(name):
    # Would break: a module without gradient, or a loss of zeros, that trains on to the end.
    assert re.search(LATER[name], caught(planted(name), chunks=1))


@pytest.mark.parametrize(("name", "extra"), [("Sound", []), ("TimesZero", ["optimiser.lr=0"])])
def test_nothing_is_said_where_nothing_is_wrong(name, extra):
    # Would break: an alarm for what is sound, or off by choice; a move, a copy or a gradient not seen.
    told = audited(planted(name, "small=0", *extra), chunks=3)
    assert (told["judged"] and not told["notes"]) or extra
    assert "small" in told["off"] and set(told["terms"]) == {"error", "size"}
    assert {"gamma", "target.period", "optimiser.lr.value"} <= set(told["settings"]["read"])
    moved = {name: facts["moved"] for name, facts in told["modules"].items()}
    assert moved.keys() >= {"online", "online.agents", "online.mixer", "target"}
    assert all(x == (0 if extra else 1) for x in moved.values())
    assert 0.05 < told["explored"][""] < 0.3  # half of what epsilon = 0.3 draws is greedy by chance
    assert extra or told["modules"]["online.mixer"]["gradient"] is True


def test_idle_settings():
    """What another setting turns off is no defect; choosing a value for it is."""
    # Would break: an idle default that stops a run, or a chosen one that does not.
    sentence = caught(Config.parse("vdn", "two_step", {"mixer_input": "observations"}, OPTIONS))
    assert "mixer_input=observations changes nothing here: it acts with mixer=monotonic" in sentence
    examine(config := Config.parse("vdn", "two_step", {}, OPTIONS), Engine(config).trainer)


def test_settings_of_a_world():
    # Would break: a world's option that nobody reads, unseen because only learners are traced.
    text = PLANTED.parent / "nothing.py"
    del text
    told = examine(
        config := Config.parse("qmix", "spread", {"env.agents": 4}, OPTIONS), Engine(config).trainer
    )
    assert [v.field.path for v in told.settings if v.read] == ["env.agents"]


def test_the_run(tmp_path, capsys):
    """One sentence and status 2 before anything is trained; `--no-audit` trains all the same."""
    # Would break: a defect that only Python callers hear of, an audit that cannot be turned off.
    options = ["--seeds=1", "--steps=800", "--report-every=400", "--envs=4", "--eval-episodes=2"]
    command = ["train", f"{PLANTED}:UnreadSetting", "two_step", *options]
    assert main([*command, f"--out={tmp_path / 'no'}"]) == 2
    assert "clip_reward=10.0 changes nothing" in capsys.readouterr().err and not (tmp_path / "no").exists()
    assert main([*command, "--no-audit", f"--out={tmp_path / 'yes'}"]) == 0
    assert json.loads((tmp_path / "yes" / "summary.json").read_text())["audit"] is None
    command[1] = f"{PLANTED}:Sound"
    assert main([*command, f"--out={tmp_path / 'sound'}"]) == 0
    assert re.search(
        r"effect audit: .* 4 modules moved .*targets followed, exploring changed", capsys.readouterr().out
    )
    assert json.loads((tmp_path / "sound" / "summary.json").read_text())["audit"]["judged"]


def test_the_same_bits_with_and_without(tmp_path):
    # Would break: an audit that draws, rounds or compiles anything into the run.
    fingerprints = []
    for audit in (True, False):
        folder = run.train(planted("Sound", audit=audit), tmp_path / str(audit), quiet=True)
        fingerprints.append([(row["fingerprint"], row["seen"], row["loss"]) for row in folder.rows()])
    assert fingerprints[0] == fingerprints[1]


def shipped(*presets: str) -> list[tuple[str, str, str]]:
    """Every algorithm, world and preset that go together."""
    found = []
    for algorithm in ALGORITHMS:
        for world in ENVIRONMENTS:
            for preset in presets:
                exists = preset == "original" or (PRESETS / algorithm / f"{world}.yaml").exists()
                try:
                    Config.parse(algorithm, world, {}, {"preset": preset} if exists else {"preset": "none"})
                except UserError:
                    continue
                found.append((algorithm, world, preset))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_false_alarm_before_training(algorithm):
    # Would break: an alarm in anything that covey ships.
    cases = [case for case in shipped("original", "tuned") if case[0] == algorithm]
    assert len(cases) >= 14
    for name, world, preset in cases:
        config = Config.parse(name, world, {}, {"preset": preset})
        told = examine(config, Engine(config).trainer)
        assert all(v.read for v in told.settings)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["iql", "qmix", "mappo"])
def test_every_setting_of_coveys_own_is_read(algorithm):
    # Would break: a field of an algorithm, a part or a world that nothing depends on, under any settings.
    config = Config.parse(algorithm, "spread", {}, {"preset": "original"})
    told = examine(config, Engine(config).trainer, everything=True)
    idle = {v.field.path for v in told.settings if not v.read}
    assert len(told.settings) > 30
    assert idle == {"iql": {"mixer_input"}, "qmix": set(), "mappo": {"squashed", "deviation"}}[algorithm]


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "world", "settings"),
    [
        ("qmix", "two_step", ["target.period=20", *SMALL["qmix"]]),
        ("vdn", "probe/recall", ["target.period=20", *SMALL["qmix"][:1], *SMALL["qmix"][3:]]),
        ("qmix", "matrix/climbing", ["agent=feed_forward", "target=soft", *SMALL["qmix"]]),
        ("mappo", "two_step", SMALL["mappo"]),
        ("ippo", "probe/meeting", ["actor=feed_forward", "critic=feed_forward", "entropy=0"]),
        ("mappo", "probe/death", ["sharing=none", "normalise_values=false", *SMALL["mappo"]]),
    ],
)
def test_no_false_alarm_while_training(algorithm, world, settings):
    # Would break: an alarm for a module that learns, in one-step games, with dead agents, in continuous worlds.
    options = OPTIONS | {"steps": 4000, "report_every": 2000}
    told = audited(Config.parse(algorithm, world, settings, options), chunks=2)
    assert told["judged"] and told["notes"] == []
    assert all(facts["moved"] == 1 for facts in told["modules"].values()), told["modules"]


def test_the_table():
    # Would break: a warning that is counted but not shown.
    told = {
        "settings": {"read": ["gamma"], "idle": {"chunk": "with actor=recurrent"}},
        "off": ["small"], "terms": [], "updates": {"learner": 60}, "judged": True, "explored": {"": 0.25},
        "modules": {"online": {"moved": 1.0, "gradient": True}, "target": {"moved": 0.0, "gradient": None}},
        "notes": ["the weights of online collapsed to 0, from 1 at first"],
    }  # fmt: skip
    assert table.lines(told) == [
        "effect audit: 1 setting changed and read, 1 idle here, 1 module moved (gradients read from optimisers' "
        "moments), target has not followed yet, exploring changed 25 % of actions, off by choice: small",
        "  perhaps a defect: the weights of online collapsed to 0, from 1 at first",
    ]
    assert table.lines(told | {"judged": False}) == [
        "effect audit: 1 setting changed and read, 1 idle here; 60 updates are too few to tell what moves"
    ]
