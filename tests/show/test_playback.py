"""What is played for a film: greedy episodes of one seed, from the beginning to their own end."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import covey
from covey.core.scene import Scene
from covey.errors import UserError
from covey.runs.folder import RunFolder
from covey.show import playback
from covey.show.watch import returns_line, reward_table
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from toys.learners import Reinforce
from toys.worlds import Counting

KEY, COPIES = jax.random.key(3), 8
WORLDS = Path(__file__).parents[1] / "toys" / "worlds.py"


class Shown(Counting):
    """`Counting`, in which the clerk walks a unit a step."""

    def scene(self, state):
        place = jnp.stack([state[1], state[0]])[None]
        return Scene(place, place[:0], agent_radii=(0.1,), object_radii=())


class Thoughtful(Reinforce):
    """Thinks of what it is paid, and of when."""

    def insight(self, learner, episode):
        paid = episode.team_reward[:, 0]
        return {"paid": paid, "both": jnp.stack([paid, 1.0 * jnp.arange(len(paid))], axis=1)}


@pytest.fixture(scope="module")
def film():
    """Episodes of different lengths, and what an evaluation makes of the same."""
    env = Shown(jnp.array(6))
    trainer = Trainer(env, (LearnerSlot("team", Thoughtful(), (0,)),), copies=COPIES, length=6)

    def both(key):
        learners = (trainer.slots[0].algorithm.init(env.spec, key),)
        evaluation = trainer.evaluate(learners, key, jnp.zeros((), int), COPIES)
        rollouts, scenes = playback.play_scenes(trainer, learners, key, COPIES)
        return rollouts, scenes, playback.measure_gauges(trainer, learners, rollouts), evaluation

    *played, evaluation = jax.tree.map(np.asarray, jax.jit(both)(KEY))
    return [playback.cut_episode(*played, i) for i in range(COPIES)], evaluation


def test_episodes_are_those_of_an_evaluation(film):
    # Would break: an episode cut too early or too late, steps of the next one in it, other actions.
    episodes, evaluation = film
    assert len({e.length for e in episodes}) > 2
    np.testing.assert_array_equal([e.length for e in episodes], evaluation["length"])
    np.testing.assert_allclose([e.returns for e in episodes], evaluation["teams"], rtol=1e-6)
    np.testing.assert_allclose([e.reward.sum(axis=0) for e in episodes], evaluation["agents"], rtol=1e-6)
    np.testing.assert_allclose(
        [e.counts["acted"].sum() for e in episodes], evaluation["counts"]["acted"], rtol=1e-6
    )


def test_scenes_stand_at_their_moments_up_to_the_last(film):
    # Would break: a scene taken after the step, a last one that is the next episode's first, mixed-up copies.
    for e in film[0]:
        clock, serial = e.scene.agents[:, 0, 0], e.scene.agents[:, 0, 1]
        np.testing.assert_array_equal(clock, np.arange(e.length + 1))
        assert len(set(serial)) == 1
        assert e.alive.shape == (e.length + 1, 1)


def test_gauges_are_columns_of_their_episode(film):
    # Would break: thoughts of another copy or step, or a lost column.
    for e in film[0]:
        np.testing.assert_array_equal(e.gauges["paid"], e.team_reward)
        np.testing.assert_array_equal(e.gauges["both"][:, 1], np.arange(e.length))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    place = tmp_path_factory.mktemp("runs") / "random"
    options = {"seeds": 2, "steps": 60, "envs": 1, "eval_episodes": 2, "report_every": 60}
    return covey.train("random", "spread", out=place, env={"horizon": 4}, quiet=True, **options).folder


def same(a: playback.Playback, b: playback.Playback) -> bool:
    leaves = zip(jax.tree.leaves(a.episodes), jax.tree.leaves(b.episodes), strict=True)
    return all(np.array_equal(x, y) for x, y in leaves)


def test_the_same_is_played_when_asked_again(run):
    # Would break: keys from a clock; a seed, a `begin` or a number of episodes that is not heeded.
    first = playback.record_playback(run, seed=0)
    assert len(first.episodes) == 2 and first.episodes[0].scene is not None
    assert same(first, playback.record_playback(run, seed=0))
    assert not same(first, playback.record_playback(run, seed=1))
    assert not same(first, playback.record_playback(run, seed=0, begin=1))
    with pytest.raises(UserError, match=r"seed 2 is not in .*seeds 0 to 1"):
        playback.record_playback(run, seed=2)
    with pytest.raises(UserError, match="--episodes must be at least 1"):
        playback.record_playback(run, episodes=0)


def test_the_median_seed_plays(run, tmp_path):
    # Would break: the best or the worst one, or no film of a run without a summary.
    folder = RunFolder(tmp_path)
    assert playback.median_seed(folder) == 0
    content = run.read_json(run.summary)
    content["eval"]["team_return"]["per_seed"] = [-3.0, -1.0, -2.0]
    folder.write_json(folder.summary, content)
    assert playback.median_seed(folder) == 2
    scores = run.read_json(run.summary)["eval"]["team_return"]["per_seed"]
    assert playback.median_seed(run) == int(np.argmin(scores))  # of two the lower


def test_the_median_episode_is_shown_first():
    # Would break: a lucky episode in its place; the same one twice.
    assert playback.typical_first(np.array([5.0, 1.0, 9.0, 3.0, 7.0])).tolist() == [0, 3, 4, 1, 2]
    assert playback.typical_first(np.array([2.0])).tolist() == [0]


@pytest.mark.slow
def test_a_world_in_plain_python_is_played_too(tmp_path):
    # Would break: a film from the stand-in's zeros.
    options = {"seeds": 1, "steps": 12, "envs": 1, "eval_episodes": 1, "report_every": 12}
    run = covey.train("random", f"{WORLDS}:HostRecall", out=tmp_path / "run", quiet=True, **options)
    played = playback.record_playback(run.folder, episodes=24)
    assert {e.length for e in played.episodes} == {3} and played.episodes[0].scene is None
    assert np.concatenate([e.reward[-1] for e in played.episodes]).any()
    assert played.world == "HostRecall"


def test_the_log_adds_up(film):
    # Would break: a column under another's name, a sum of other steps.
    episode = max(film[0], key=lambda e: e.length)
    played = playback.Playback(Shown(jnp.array(6)).spec, "counting", "reinforce", 0, (episode,))
    head, *rows, total = (line.split() for line in reward_table(played, episode).splitlines())
    assert head == ["step", "clerk", "team", "acted"] and len(rows) == episode.length
    number = lambda cell: float(cell.replace("−", "-"))
    for column in (1, 2, 3):
        assert sum(number(row[column]) for row in rows) == pytest.approx(number(total[column]), abs=0.05)
    assert number(total[1]) == pytest.approx(episode.returns[0], abs=0.01)


def test_the_line_names_each_team(film):
    # Would break: a return without its convention, or one team's under another's name.
    episode = film[0][0]._replace(team_reward=np.array([[1.0, -2.0], [0.5, 0.0]]))
    spec = replace(Shown(jnp.array(6)).spec, names=("a", "b"), team=("red", "blue"))
    line = returns_line(playback.Playback(spec, "world", "iql", 4, (episode, episode)))
    assert "red team return 1.50, 1.50; blue team return −2.00, −2.00 (team reward summed" in line
    assert line.startswith("seed 4, 2 greedy episodes")
