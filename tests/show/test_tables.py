"""Small games drawn whole: the right numbers in the right places, and a picture."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import covey
from covey import charts
from covey.algorithms.random import Random
from covey.config.config import Config
from covey.environments.games import Matrix, Penalty, TwoStep
from covey.errors import UserError
from covey.runs.engine import Engine
from covey.runs.folder import RunFolder
from covey.runs.policy import load_trained
from covey.show import tables
from covey.text import shortest
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

pytestmark = pytest.mark.slow  # runs are trained here

PNG = b"\x89PNG"


class Momentary(Random):
    """Knows what a moment is worth, not an action."""

    def insight(self, learner, episode):
        return {"V": episode.reward}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """VDN, a little trained, on the two-step game."""
    out = tmp_path_factory.mktemp("runs") / "vdn"
    settings = {"agent.hidden": 8, "epsilon": 1.0, "experience.batch_size": 8, "experience.capacity": 64}
    options = {"seeds": 2, "steps": 400, "settings": settings, "quiet": True}
    return RunFolder.existing(covey.train("vdn", "two_step", out=out, **options).path)


def beginner(algorithm, *settings):
    """A run's loop on a matrix, and learners as training finds them."""
    trainer = Engine(Config.parse(algorithm, "matrix", settings, {"seeds": 1})).trainer
    slot = trainer.slots[0]
    return trainer, (slot.algorithm.init(slot.spec(trainer.spec), jr.key(1)),)


def play(trainer, learners, actions):
    """The one trajectory of the given actions, as the first slot stores it."""
    joint = tables.play_actions(trainer, learners, actions)
    return jax.tree.map(lambda x: x[0], trainer.slots[0].own_rollouts(joint))


def test_values_are_those_of_each_joint_action(run):
    # Would break: tables transposed, values of another step than the path's last, paths not taken.
    engine, learners = load_trained(run, 1)
    algorithm = engine.trainer.slots[0].algorithm
    for learned in tables.learned_tables(engine.trainer, learners):
        assert learned.called == "Q_tot"
        for joint in np.ndindex(2, 2):
            rollout = play(engine.trainer, learners, jnp.array([[*learned.table.path, joint]]))
            insight = algorithm.insight(learners[0], rollout)["Q_tot"]
            np.testing.assert_allclose(learned.value[joint], insight[-1, 0], rtol=1e-5, atol=1e-6)


def test_the_joint_action_is_the_one_its_memory_leads_to(run):
    # Would break: a learner that remembers another path than the one drawn. VDN's choice is its sum's.
    engine, learners = load_trained(run, 0)
    for learned in tables.learned_tables(engine.trainer, learners):
        assert learned.chosen == np.unravel_index(np.argmax(learned.value), learned.value.shape)


def test_values_of_each_agent_are_averaged():
    # Would break: the first agent's for everybody's; fewer choices of the third agent than there are.
    trainer, learners = beginner("iql", "env.payoff=[[[1,2,3],[4,5,6]],[[7,8,9],[1,2,3]]]")
    (learned,) = tables.learned_tables(trainer, learners)
    rollout = play(trainer, learners, jnp.array([[[1, 0, 2]]]))
    insight = trainer.slots[0].algorithm.insight(learners[0], rollout)["Q"]
    assert insight.shape == (1, 3) and len(np.unique(insight)) == 3
    assert learned.called == "Q" and learned.value[1, 0, 2] == pytest.approx(float(insight.mean()), rel=1e-5)


def test_paths_lead_where_they_say():
    # Would break: a table under another's name. Every path is played, and every entry earned.
    for env in (TwoStep(), Matrix(rounds=2), Penalty(-5.0)):
        trainer = Trainer(env, (LearnerSlot("team", Random(), tuple(range(env.spec.agents))),), 1, 1)
        learners = (Random().init(env.spec, jr.key(0)),)
        pay = jax.jit(
            lambda ways, t=trainer, ls=learners: tables.play_actions(t, ls, ways).team_reward[..., 0]
        )
        for table in env.tables():
            rest = env.spec.horizon - len(table.path) - 1
            tail = np.array(list(np.ndindex(*table.best.shape)))
            for joint in np.ndindex(*table.best.shape):
                ways = [[*table.path, joint, *[tuple(last)] * rest] for last in tail]
                earned = np.asarray(pay(jnp.array(ways))).sum(1)
                assert earned.max() == table.best[joint]


def test_one_that_cannot_tell_still_shows_the_game(tmp_path):
    # Would break: the value of a moment drawn as an action's, a frame around one of many random actions.
    trainer, learners = beginner("random")
    (slot,) = trainer.slots
    for algorithm in (Random(), Momentary()):
        some = replace(trainer, slots=(replace(slot, algorithm=algorithm),))
        (learned,) = tables.learned_tables(some, learners)
        assert learned.value is None and learned.chosen is None
        assert tables.outcome_label(learned, 8.0) == ""
    tables.draw_tables(tmp_path / "game.png", [learned], ("a", "b"), "random", "")
    assert (tmp_path / "game.png").read_bytes().startswith(PNG)


def test_a_picture_comes_out(run, tmp_path):
    # Would break: anything matplotlib warns of; what `covey watch` asks for.
    tables.draw_run(run, tmp_path / "game.png", 0)
    assert (tmp_path / "game.png").read_bytes().startswith(PNG)


def test_words_for_the_outcome():
    # Would break: praise for less than the best; a first choice praised for what only better later ones earn.
    first = tables.LearnedTable(TwoStep().tables()[0], None, "", (1, 0))
    assert tables.outcome_label(first, 8.0) == "finds 8"
    assert tables.outcome_label(first, 1.0) == "settles for 1 (best 8)"


def test_three_agents_are_drawn_in_slices(tmp_path):
    # Would break: the third agent's choices mixed up with the others'.
    game = Matrix(np.arange(8.0).reshape(2, 2, 2).tolist()).tables()[0]
    learned = tables.LearnedTable(game, -game.best, "Q", (0, 1, 1))
    (truth, best), (called, value) = tables.panel_contents(learned, (1,), ("a", "b", "c"))
    assert (truth, called) == ("c plays 1: best return", "c plays 1: learned Q")
    np.testing.assert_array_equal(best, [[1, 3], [5, 7]])
    np.testing.assert_array_equal(value, -best)
    tables.draw_tables(tmp_path / "game.png", [learned], ("a", "b", "c"), "iql", "settles for 3 (best 7)")
    assert (tmp_path / "game.png").read_bytes().startswith(PNG)


def test_numbers_are_short():
    # Would break: a payoff of 6.5 as 6.50, a learned value with all its digits, a hyphen for a minus.
    insight = [shortest(x) for x in (8.0, -0.0, -6.5, 0.25, 7.0625, -0.0712349, 8.0000001, 1e6)]
    assert insight == ["8", "0", "−6.5", "0.25", "7.06", "−0.07", "8.00", "1000000"]


def test_marks_stand_on_their_entries():
    # Would break: rows and columns exchanged, a frame in every slice, stars where learned values are best.
    from matplotlib.figure import Figure

    table = Matrix([[[0, 1], [2, 9]], [[9, 5], [6, 7]]]).tables()[0]
    one = tables.LearnedTable(table, None, "", (1, 0, 1))
    want = {(0,): ([(0, 1)], []), (1,): ([(1, 0)], [(-0.5, 0.5)])}  # places are (column, row)
    for rest, (stars, frames) in want.items():
        axes = Figure().add_subplot()
        charts.draw_payoffs(axes, table.best[..., rest[0]], 9.0)
        assert [text.get_text() for text in axes.texts] == [f"{x:g}" for x in table.best[..., rest[0]].flat]
        tables.mark_joints(axes, one, rest)
        learned = [text.get_position() for text in axes.texts if text.get_text() == "★"]
        assert [(round(x), round(y)) for x, y in learned] == stars
        assert [patch.get_xy() for patch in axes.patches] == frames


def test_what_cannot_be_drawn_is_refused():
    # Would break: a picture nobody can read, of 21 x 21 joint actions, of seven slices or of four agents.
    for payoff in (np.zeros((21, 21)), np.zeros((2, 2, 7)), np.zeros((2, 2, 2, 2)), np.zeros(3)):
        with pytest.raises(UserError, match=r"cannot be drawn .* --out film\.gif"):
            tables.check_drawable(Matrix(payoff.tolist()).tables())
