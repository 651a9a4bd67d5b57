"""The effect audit: a dozen planted defects, each caught and named; nothing said where nothing is wrong."""

import json
import re
from pathlib import Path

import pytest

from covey.audit import table
from covey.audit.audit import Audit
from covey.audit.static import asked, examine, switches
from covey.audit.subjects import Subject
from covey.cli import main
from covey.config.catalogue import ALGORITHMS, ENVIRONMENTS
from covey.config.config import Config
from covey.config.tuned import PRESETS
from covey.errors import UserError
from covey.runs.engine import Engine

PLANTED = Path(__file__).parent / "planted.py"
OPTIONS = {"seeds": 1, "steps": 2000, "report_every": 1000, "envs": 4, "eval_episodes": 2}


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
    "Frozen": r"online\.mixer had no gradient",
}


@pytest.mark.parametrize("name", LATER)
def test_caught_while_training(name):
    # Would break: a module without gradient, or a loss of zeros, that trains on to the end.
    assert re.search(LATER[name], caught(planted(name), chunks=1))


def test_nothing_is_said_where_nothing_is_wrong():
    # Would break: an alarm for what is sound; a move, a copy or a gradient that is not seen.
    told = audited(planted("Sound", "small=0"), chunks=2)
    assert told["judged"] and told["notes"] == [] and told["off"] == ["small"]
    assert set(told["terms"]) == {"error", "size"}
    assert {"gamma", "target.period", "optimiser.lr.value"} <= set(told["settings"]["read"])
    assert told["modules"].keys() >= {"online", "online.agents", "online.mixer", "target"}
    assert all(facts["moved"] == 1 for facts in told["modules"].values())
    assert told["modules"]["online.mixer"]["gradient"] is True
    assert 0.05 < told["explored"][""] < 0.3  # half of what epsilon = 0.3 draws is greedy by chance


@pytest.mark.slow
def test_off_by_choice():
    # Would break: an alarm where somebody has set the learning rate to 0.
    told = audited(planted("Sound", "optimiser.lr=0"), chunks=1)
    assert told["judged"] and "optimiser.lr.value" in told["off"]
    assert not any(facts["moved"] for facts in told["modules"].values())


@pytest.mark.slow
def test_a_mode_that_somebody_chose():
    # Would break: a run stopped for a module that the chosen mode has no use for; one that nothing puts to
    # work let through because some mode was chosen.
    told = audited(planted("Modes", "mode=lean"), chunks=1)
    assert told["judged"] and told["off"] == ["online.extra (mode=lean)", "target.extra (mode=lean)"]
    for settings, off in (
        ([], "ppo.actor.networks.nets.layers.layers.2 (output=weights)"),
        (["layers=all"], "ppo.actor (layers=all)"),
    ):
        config = Config.parse("hyper_mappo", "spread", ["output=weights", *settings], OPTIONS)
        assert examine(config, Engine(config).trainer).off == [off]
    assert re.search(SENTENCES["NeverCalled"], caught(planted("NoExcuse", "mode=half")))


def test_what_somebody_chose_is_tried_first():
    # Would break: a dozen learners traced, a second each, before the setting that it was; a default blamed.
    config = Config.parse("mappo", "probe/death", ["normalise_values=false"], OPTIONS)
    trainer = Engine(config).trainer
    subject = Subject(trainer.slots[0], trainer.spec, trainer.copies, trainer.length)
    (first, _), *others = switches(asked(config.learners[trainer.slots[0].name], {}, subject))
    assert first.path == "normalise_values" and len(others) > 5


def test_idle_settings():
    """What another setting turns off is no defect; choosing a value for it is."""
    # Would break: an idle default that stops a run, or a chosen one that does not.
    sentence = caught(Config.parse("vdn", "two_step", {"mixer_input": "observations"}, OPTIONS))
    assert "mixer_input=observations changes nothing here: it acts with mixer=monotonic" in sentence
    config = Config.parse("vdn", "two_step", {}, OPTIONS)
    examine(config, Engine(config).trainer)


def test_settings_of_a_world():
    # Would break: a world's option that nobody reads, unseen because only learners are traced.
    config = Config.parse("qmix", "spread", {"env.agents": 4}, OPTIONS)
    told = examine(config, Engine(config).trainer)
    assert [v.field.path for v in told.settings if v.read] == ["env.agents"]


def test_the_run(tmp_path, capsys):
    """One sentence and status 2 before anything is trained; `--no-audit` trains all the same, to the bits of
    the sound algorithm under audit, whose setting more has no effect indeed."""
    # Would break: a defect that only Python hears of, an audit that stays on, or that alters bits.
    options = ["--seeds=1", "--steps=2000", "--report-every=1000", "--envs=4", "--eval-episodes=2"]
    command = lambda name, *more: ["train", f"{PLANTED}:{name}", "two_step", *options, *more]
    assert main(command("UnreadSetting", f"--out={tmp_path / 'refused'}")) == 2
    assert "clip_reward=10.0 changes nothing" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()
    assert main(command("UnreadSetting", "--no-audit", f"--out={tmp_path / 'without'}")) == 0
    assert "effect audit" not in capsys.readouterr().out
    assert main(command("Sound", f"--out={tmp_path / 'with'}")) == 0
    said = r"effect audit: 6 settings read, 6 modules moved .*targets followed, exploring changed"
    assert re.search(said, capsys.readouterr().out)
    told = {name: json.loads((tmp_path / name / "summary.json").read_text()) for name in ("with", "without")}
    assert told["with"]["audit"]["judged"] and told["without"]["audit"] is None
    rows = {name: (tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in told}
    bits = {name: [json.loads(row)["fingerprint"] for row in rows[name]] for name in told}
    assert bits["with"] == bits["without"] and len(bits["with"]) > 1


def shipped(algorithm: str, *presets: str) -> list[tuple[str, str]]:
    """Every world and preset that go together with an algorithm."""
    found = []
    for world in ENVIRONMENTS:
        for preset in presets:
            exists = preset == "original" or (PRESETS / algorithm / f"{world}.yaml").exists()
            try:
                Config.parse(algorithm, world, {}, {"preset": preset} if exists else {"preset": "none"})
            except UserError:
                continue
            found.append((world, preset))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS.keys() - {"wqmix"}))  # it is cw_qmix
def test_no_false_alarm_before_training(algorithm):
    # Would break: an alarm in anything that covey ships.
    cases = shipped(algorithm, "original", "tuned")
    assert len(cases) >= 14
    for world, preset in cases:
        config = Config.parse(algorithm, world, {}, {"preset": preset})
        told = examine(config, Engine(config).trainer)
        assert all(v.read for v in told.settings)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["qmix", "mappo"])
def test_every_setting_of_coveys_own_is_read(algorithm):
    # Would break: a field of an algorithm, a part or a world that nothing depends on, under any settings.
    config = Config.parse(algorithm, "spread", {}, {"preset": "original"})
    told = examine(config, Engine(config).trainer, everything=True)
    idle = {v.field.path for v in told.settings if not v.read}
    assert len(told.settings) > 30
    assert idle == {"qmix": set(), "mappo": {"squashed", "deviation"}}[algorithm]


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
    # Would break: an alarm for what learns, in one-step games, with dead agents, in continuous worlds.
    options = OPTIONS | {"steps": 4000, "report_every": 2000}
    told = audited(Config.parse(algorithm, world, settings, options), chunks=3)
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
        "effect audit: 1 setting read, 1 idle here, 1 module moved (gradients by their "
        "moments), target has not followed yet, exploring changed 25 % of actions, off by choice: small",
        "  perhaps a defect: the weights of online collapsed to 0, from 1 at first",
    ]
    assert table.lines(told | {"judged": False}) == [
        "effect audit: 1 setting read, 1 idle here; 60 updates are too few to tell what moves"
    ]
