"""Two runs beside each other: the same, or where they part, and what that is worth."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import covey
from covey.analysis.compare.bits import Moment, compare_bits, rows_by_place
from covey.analysis.compare.differences import (
    Difference,
    NestedSettings,
    differing,
    every_setting,
    nested_settings,
    tensor_shapes,
    unread_settings,
)
from covey.cli import main
from covey.config.config import Config
from covey.runs import checkpoint, run
from covey.runs.engine import Engine
from covey.training.learners import UpdateContext

pytestmark = pytest.mark.slow  # runs are trained here

KEYS = (
    "a b team convention settings nested circumstances tensors bits parting returns picture verdict sentence"
)
SETTINGS = {
    "agent": "feed_forward",
    "agent.hidden": 4,
    "mixer.embed": 2,
    "mixer.hyper": 4,
    "experience.capacity": 64,
    "experience.batch_size": 4,
}
OPTIONS = {"seeds": 2, "steps": 480, "eval_every": 240, "eval_episodes": 4, "report_every": 96}


def config(world: str = "two_step", options: dict | None = None, **settings) -> Config:
    """`mixer_of_embed` is `mixer.embed`; None takes a setting away."""
    dotted = SETTINGS | {name.replace("_of_", "."): value for name, value in settings.items()}
    given = {name: value for name, value in dotted.items() if value is not None}
    return Config.parse("qmix", world, given, OPTIONS | (options or {}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs by name, each trained once."""
    root = tmp_path_factory.mktemp("runs")
    made = {}

    def train(name: str, config: Config) -> Path:
        if name not in made:
            made[name] = run.train_run(config, root / name, quiet=True).folder.path
        return made[name]

    return train


@pytest.fixture(scope="module")
def base(trained) -> Path:
    return trained("base", config())


def test_a_second_run_of_the_same_command(base, trained):
    # Would break: times compared, a picture that cannot be drawn twice over, a test for what needs none.
    comparison = covey.compare(base, trained("again", config()))
    assert comparison.verdict == "identical" and comparison.sentence == "identical to the bit"
    assert not comparison.settings and not comparison.circumstances and comparison.divergence is None
    assert comparison.bits.reports == 5 and comparison.bits.until >= 480 and not comparison.bits.metrics
    assert Path(comparison.picture).read_bytes().startswith(b"\x89PNG")
    assert Path(comparison.picture) == base / "compare_again.png"
    assert "settings: all the same" in str(comparison)
    plain = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert list(plain) == KEYS.split() and plain["bits"]["parts"] is None and plain["parting"] is None


def test_another_learning_rate_parts_at_the_first_update(base, trained, tmp_path):
    # Would break: an update counted from 0; optimiser states named, whose gradients are still the same;
    # a difference found only at the end of the report.
    faster = trained("lr", config(optimiser_of_lr=0.01))
    comparison = covey.compare(base, faster, out=tmp_path / "picture.png")
    assert comparison.settings == (Difference("optimiser.lr", 0.0005, 0.01),)
    divergence = comparison.divergence
    assert (divergence.kind, divergence.update, divergence.iteration, divergence.step) == ("update", 1, 1, 0)
    by_hand = first_learner(config()), first_learner(config(optimiser_of_lr=0.01))
    apart = [name for name, x in by_hand[0].items() if not np.array_equal(x, by_hand[1][name])]
    assert (
        list(divergence.tensors) == apart
        and divergence.tensor == apart[0] == "online.agents.nets.layers.layers.0.weight"
    )
    assert not any("opt_state" in name for name in apart) and any("mixer" in name for name in apart)
    gap = np.abs(by_hand[0][apart[0]].astype(float) - by_hand[1][apart[0]]).max()
    np.testing.assert_allclose(divergence.tensors[apart[0]], gap, rtol=1e-6)
    assert (tmp_path / "picture.png").exists()
    text = str(comparison)
    assert "they part in update 1 of team (in iteration 1, which begins at step 0): online.agents" in text


def first_learner(config: Config) -> dict[str, np.ndarray]:
    """A seed's learner after one update, made without anything of what compares."""
    engine = Engine(config)
    trainer = engine.trainer
    state = trainer.init(jax.random.key(config.seed))
    state, rollouts, _ = jax.jit(trainer.collect)(state, jnp.array(0))
    state = trainer.remember(state, rollouts, jnp.array(0))
    slot = trainer.slots[0]

    def improve(state, rollouts):
        now = UpdateContext(state.key, jnp.array(0), state.steps)
        own = slot.own_rollouts(rollouts)
        return slot.improve(state.learners[0], state.buffers[0], own, now, trainer.shape)[0]

    learner = jax.jit(improve)(state, rollouts)
    return {name: np.asarray(x) for name, x in checkpoint.named_leaves(learner)}


def test_another_discount_parts_where_the_gradient_does(base, trained):
    # Would break: a setting that acts through the loss taken for one that acts on the step alone.
    comparison = covey.compare(base, trained("gamma", config(gamma=0.5)))
    divergence = comparison.divergence
    assert (divergence.kind, divergence.update, divergence.tensor) == (
        "update",
        1,
        "online.agents.nets.layers.layers.0.weight",
    )
    assert any("opt_state" in name for name in divergence.tensors)
    assert not any("target" in name or "updates" in name for name in divergence.tensors)


def test_reports_are_repeated_up_to_where_exploration_parts(base, trained):
    # Would break: re-run reports that are not the recorded ones; learning compared before its data.
    comparison = covey.compare(base, trained("epsilon", config(epsilon_of_steps=20_000)))
    divergence = comparison.divergence
    assert divergence.kind == "collecting" and divergence.tensor == "action"
    assert comparison.bits.last_match.report >= 1 and divergence.as_recorded == (True, True)
    assert comparison.bits.last_match.step <= divergence.step < comparison.bits.first_difference.step
    assert "before any weight differs: action" in str(comparison)


def test_a_setting_without_effect(trained):
    # Would break: settings that differ taken for runs that do. In a game of one step nothing is discounted.
    a = trained("one", config("matrix"))
    b = trained("one, discounted", config("matrix", gamma=0.5))
    comparison = covey.compare(a, b)
    assert comparison.verdict == "identical"
    assert comparison.sentence == "identical to the bit: gamma did nothing"
    assert comparison.settings == (Difference("gamma", 0.99, 0.5),)


def test_options_that_change_no_weight(base, trained):
    # Would break: reports found by their number where they come half as often; means over other windows.
    options = {"report_every": 192, "eval_every": 480, "eval_episodes": 8, "seed": 1, "seeds": 2}
    comparison = covey.compare(base, trained("rarer", config(options=options)))
    assert comparison.verdict == "identical" and comparison.bits.seeds == (1,)
    assert comparison.bits.reports == 2 and not [v for v in comparison.bits.metrics if "loss" in v]


def test_no_seed_in_common(base, tmp_path):
    # Would break: a place among the seeds taken for the seed.
    comparison = covey.compare(base, copied(base, tmp_path / "others", seed=7))
    assert (
        not comparison.bits.seeds
        and comparison.divergence is None
        and comparison.verdict == "indistinguishable"
    )
    assert "no seed in common" in str(comparison)


def test_other_tensors(base, tmp_path):
    # Would break: a re-run of what cannot be compared; names of one run's tensors missing.
    comparison = covey.compare(
        base, copied(base, tmp_path / "wide", learners=config(mixer_of_embed=3).learners)
    )
    lone = comparison.tensors
    assert not lone.a and not lone.b and all("mixer" in name for name in lone.shapes)
    assert "not made of the same tensors" in comparison.divergence.why
    plain = config(mixer="sum", mixer_of_embed=None, mixer_of_hyper=None)
    comparison = covey.compare(base, copied(base, tmp_path / "sum", learners=plain.learners))
    assert not comparison.tensors.b and all("mixer" in name for name in comparison.tensors.a)
    assert "only A has online.mixer" in str(comparison)


def test_limits_of_the_search(base, trained):
    # Would break: hours of re-running that nobody asked for.
    other = trained("lr", config(optimiser_of_lr=0.01))
    comparison = covey.compare(base, other, trace=0)
    assert "--trace 1 re-runs" in comparison.divergence.why


def test_other_worlds_are_refused(base, trained, capsys):
    # Would break: returns of different games in one picture.
    assert main(["compare", str(base), str(trained("one", config("matrix")))]) == 2
    text = capsys.readouterr().err
    assert "was trained in two_step" in text and "worlds cannot be compared" in text and text.count("\n") == 1


def test_worlds_of_other_settings_get_no_verdict(trained, tmp_path):
    # Would break: "better" in a game that pays more.
    one = trained("one", config("matrix"))
    rich = config("matrix", env_of_payoff=[[90.0, 0.0, 0.0], [0.0, 90.0, 0.0], [0.0, 0.0, 90.0]])
    comparison = covey.compare(one, copied(one, tmp_path / "rich", env=rich.env), trace=0)
    assert comparison.verdict == "not comparable" and "env.payoff" in comparison.sentence


def test_better_and_worse(base, tmp_path):
    # Would break: the verdict turned round; three seeds enough to claim anything.
    for n, word in ((3, "indistinguishable"), (8, "better")):
        a, b = (
            copied(base, tmp_path / f"{n}{name}", gain, seeds=n) for name, gain in (("a", 0.0), ("b", 5.0))
        )
        comparison = covey.compare(a, b, trace=0)
        assert comparison.verdict == word
        over = comparison.returns.b_over_a
        assert over["probability_of_improvement"] == 1 and over["seeds_to_settle"] == 6
    assert comparison.sentence == "B is better than A, at 8 seeds of each (p = 0.0002)"
    assert covey.compare(b, a, trace=0).verdict == "worse"


def copied(base: Path, place: Path, gain: float = 1.0, **fields) -> Path:
    """A run with other settings, of made-up returns and actions."""
    place.mkdir()
    config = replace(Config.from_yaml(base / "config.yaml"), **fields)
    config.to_yaml(place / "config.yaml")
    row = json.loads((base / "metrics.jsonl").read_text().splitlines()[-1]) | {"report": 1, "seen": str(gain)}
    rows = [row | {"seed": seed, "eval/return/team": seed / 10 + gain} for seed in range(config.seeds)]
    (place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_rows_are_held_side_by_side():
    # Would break: a later report than the first; a leaf's place counted in digits; means over other windows.
    row = {
        "seed": 0,
        "step": 10,
        "seconds": 1.0,
        "seen": "0",
        "fingerprint": ["aaaaaaaabbbbbbbb"],
        "loss": 1.0,
    }
    a = [row | {"report": r} for r in (1, 2, 3)]
    b = [a[0] | {"loss": 2.0}, a[1] | {"fingerprint": ["aaaaaaaacccccccc"]}, a[2] | {"seen": "1"}]
    bits = compare_bits(rows_by_place(a, 4, 5), rows_by_place(b, 4, 5), True)
    assert bits.first_difference == Moment(clock=10, seed=4, step=10, report=2)
    assert bits.leaves == (1,) and bits.metrics == ("loss",) and bits.reports == 1
    assert not compare_bits(rows_by_place(a, 4, 5), rows_by_place(b, 4, 5), False).metrics
    assert not compare_bits(rows_by_place(a, 4, 5), rows_by_place(b, 9, 5), True).seeds


def test_settings_are_named_as_they_are_typed(tmp_path):
    # Would break: a constant's value under a name nobody types; where a file lies taken for a difference.
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(
            "from covey.networks.mixers import SumMixer\nclass M(SumMixer): ...\n"
        )
    parse = lambda name: Config.parse(
        "qmix", "two_step", [f"mixer={tmp_path}/{name}/mine.py:M", "epsilon=.5"]
    )
    one = every_setting(parse("one"))
    two = every_setting(parse("two"))
    assert one == two and one["epsilon"] == 0.5 and one["algorithm"] == "qmix" and "--steps" in one
    (tmp_path / "two" / "mine.py").write_text(
        "from covey.networks.mixers import SumMixer\nclass M(SumMixer): x = 1\n"
    )
    assert [d.setting for d in differing(one, every_setting(parse("two")))] == ["content of mine.py"]


def test_an_algorithm_that_holds_another():
    # Would break: fifty rows that say nothing; a value that differs, or a few alike by chance, left unsaid.
    plain = {"algorithm": "mappo", "alone": 1} | {f"x{i}": i for i in range(6)}
    below = {"algorithm": "hyper_mappo", "ppo.alone": 2} | {f"ppo.x{i}": i for i in range(6)}
    names = {f"x{i}": f"ppo.x{i}" for i in range(6)}
    assert nested_settings(plain, below) == NestedSettings("b", "ppo", names)
    nested = nested_settings(below, plain)
    assert nested == NestedSettings("a", "ppo", names) and "ppo.x0" in nested and "x0" in nested
    assert "alone" not in nested and "ppo.alone" not in nested
    assert nested_settings({"a": 1}, {"b.a": 1}).names == {}


def test_what_the_audit_says_of_settings():
    # Would break: one run's word taken for both, no word taken for a clean one.
    summary = lambda *idle: {"audit": {"settings": {"read": [], "idle": dict.fromkeys(idle, "why")}}}
    assert unread_settings(summary("gamma"), summary("gamma", "lam")) == {"gamma"}
    assert (
        unread_settings({}, summary("gamma"))
        == unread_settings({"audit": None}, summary("gamma"))
        == frozenset()
    )
    assert differing({"gamma": 1}, {"gamma": 2}, frozenset({"gamma"}))[0].used is False


def test_tensors_are_named_in_the_order_of_their_fingerprints():
    # Would break: a fingerprint read as another tensor's.
    engine = Engine(config())
    names = [name for name, _ in checkpoint.named_leaves(engine.shapes.learners[0])]
    assert list(tensor_shapes(engine)) == names and len(names) == len(jax.tree.leaves(engine.shapes.learners))


@pytest.mark.slow
def test_on_policy_likewise(tmp_path):
    # Would break: memos and several passes over fresh rollouts left out of the re-run.
    small = {"actor.hidden": 4, "critic.hidden": 4, "epochs": 2, "minibatches": 2}
    options = {"seeds": 1, "steps": 64, "eval_every": 64, "eval_episodes": 2, "report_every": 32}
    make = lambda **more: Config.parse("ippo", "two_step", small | more, options)
    a = make()
    b = make(gamma=0.5)
    paths = [run.train_run(c, tmp_path / name, quiet=True).folder.path for name, c in (("a", a), ("b", b))]
    divergence = covey.compare(*paths).divergence
    assert divergence.kind == "update" and divergence.update == 1
