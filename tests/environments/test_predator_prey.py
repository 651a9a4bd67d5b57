"""The rules of predator_prey: on boards made by hand, then beside a plain-Python game over random play."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core.scene import Scenic
from covey.environments.predator_prey import (
    CATCH,
    DOWN,
    LEFT,
    RIGHT,
    STAY,
    UP,
    PredatorPrey,
    PredatorPreyState,
)
from covey.errors import UserError

SMALL = PredatorPrey(agents=3, prey=2, rows=4, columns=5, sight=1, horizon=6)
WAYS = {RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1), UP: (-1, 0)}
N = 256


def board(*rows, env=SMALL, copies=N, t=0):
    """Return a board, equal in all copies. Agents are a, b, ..., prey X, Y, ...; others are out of play."""
    where = {x: r * env.stride + c for r, row in enumerate(rows) for c, x in enumerate(row) if x != "."}
    place = lambda names: np.array([where.get(x, 0) for x in names])
    there = lambda names: np.array([x in where for x in names])
    agents, prey = "abcdefgh"[: env.spec.agents], "XYZWVUTS"[: env.prey]
    wide = lambda x: jnp.repeat(jnp.asarray(x)[:, None], copies, axis=1)
    cells = [wide(place(names).astype(np.int32)) for names in (agents, prey)]
    return PredatorPreyState(*cells, wide(there(agents)), wide(there(prey)), jnp.full(copies, t, jnp.int32))


def picture(env, state, i=0):
    """Return the board of copy i in the same form."""
    rows = [["."] * env.columns for _ in range(env.rows)]
    for names, cells, there in (
        ("abcdefgh", state.agents, state.free),
        ("XYZWVUTS", state.prey, state.alive),
    ):
        for name, cell, here in zip(names, np.asarray(cells)[:, i], np.asarray(there)[:, i], strict=False):
            if here:
                rows[cell // env.stride][cell % env.stride] = name
    return tuple("".join(row) for row in rows)


@cache
def programs(env):
    return jax.jit(env.step), jax.jit(env.observe)


def play(state, actions, env=SMALL):
    """Take a step with the same actions in every copy."""
    action = jnp.tile(jnp.array(actions, jnp.int8), (len(state.t), 1))
    return programs(env)[0](state, action, jr.key(0))


def ends(state, env=SMALL):
    """Return every board that some copy shows, and how often."""
    found, times = np.unique(
        [picture(env, state, i) for i in range(len(state.t))], axis=0, return_counts=True
    )
    return {tuple(rows): int(n) for rows, n in zip(found, times, strict=True)}


def test_agents_are_blocked_by_everything():
    # Would break: an agent that walks over another, over prey, off the grid or around it.
    after, step = play(board("a....", "X...b", "....c", "Y...."), (DOWN, DOWN, RIGHT))
    assert all(rows[0][0] == "a" and rows[1][4] == "b" and rows[2][4] == "c" for rows in ends(after))
    after, _ = play(board(".....", "....a", "b....", "c...."), (RIGHT, LEFT, UP))
    assert ends(after) == {(".....", "....a", "b....", "c...."): N}
    assert (step.team_reward == 0).all()


def test_the_order_of_agents_is_drawn():
    # Would break: everybody at once, the same order always, or a place that is free only after the step.
    found = ends(play(board("ab...", ".....", ".....", "....c"), (RIGHT, RIGHT, STAY))[0])
    follows, waits = (".ab..", ".....", ".....", "....c"), ("a.b..", ".....", ".....", "....c")
    assert found.keys() == {follows, waits}
    assert abs(found[follows] / N - 0.5) < 0.12
    found = ends(play(board("a.b..", ".....", ".....", "....c"), (RIGHT, LEFT, STAY))[0])
    assert found.keys() == {(".ab..", ".....", ".....", "....c"), ("ab...", ".....", ".....", "....c")}


def test_prey_goes_to_a_free_cell_beside_it():
    # Would break: prey that rests, jumps, enters an occupied cell, prefers a side or follows a fixed order.
    found = ends(play(board(".....", ".aX..", ".....", "b...c"), (STAY, STAY, STAY))[0])
    assert found.keys() == {
        ("..X..", ".a...", ".....", "b...c"),
        (".....", ".a.X.", ".....", "b...c"),
        (".....", ".a...", "..X..", "b...c"),
    }
    assert all(abs(times / N - 1 / 3) < 0.12 for times in found.values())
    corner = ("Xb...", "a....", ".....", "....c")
    assert ends(play(board(*corner), (STAY, STAY, STAY))[0]) == {corner: N}
    # X can leave its corner only through the cell that Y, too, may choose: or that Y has left.
    assert len(ends(play(board("XYb..", "a.c..", ".....", "....."), (STAY, STAY, STAY))[0])) == 2


def test_two_catch_one_and_are_frozen():
    # Would break: a capture by one, a captor who stays on the grid, sees or acts; a third who is no captor.
    after, step = play(board("aXb..", ".....", ".....", "c...Y"), (CATCH, CATCH, STAY))
    assert all(rows[0] == "....." and rows[3][0] == "c" for rows in ends(after))
    assert (step.team_reward == 10).all() and (step.reward == 10).all()
    assert (step.counts["captures"] == 1).all() and not step.counts["alone"].any()
    np.testing.assert_array_equal(step.obs.alive[0], [False, False, True])
    assert not step.obs.agents[:, :2].any() and step.obs.agents[:, 2].any()
    np.testing.assert_array_equal(step.obs.legal[0, :2], [[False] * 4 + [True, False]] * 2)
    later, step = play(after, (STAY, STAY, UP))
    assert all(not {"a", "b"} & set("".join(rows)) for rows in ends(later))
    assert (step.team_reward == 0).all()


def test_all_who_catch_are_frozen_and_no_one_else():
    # Would break: a third captor who goes free, or an onlooker who is frozen.
    after, step = play(board(".aX..", "..b..", "..c..", "Y...."), (CATCH, CATCH, STAY))
    assert (after.free == jnp.array([[False], [False], [True]])).all()
    after, step = play(board(".aXb.", "..c..", ".....", "Y...."), (CATCH, CATCH, CATCH))
    assert not after.free.any()
    assert (step.team_reward == 10).all()
    assert step.terminated.all() and not step.truncated.any()  # everybody is frozen


def test_one_alone_pays_for_each_prey_and_the_prey_moves_on():
    # Would break: a punishment per agent, none for a second prey, one where two caught; prey held fast.
    after, step = play(board("aX...", ".....", ".....", "b...c"), (CATCH, STAY, STAY))
    assert (step.team_reward == -2).all() and (step.counts["alone"] == 1).all() and after.free.all()
    assert all(rows[0][1] == "." for rows in ends(after))
    _, step = play(board("aX...", "Y....", ".....", "b...c"), (CATCH, STAY, STAY))
    assert (step.team_reward == -4).all()
    _, step = play(board("aX...", ".....", "...Yb", "....c"), (CATCH, CATCH, STAY))
    assert (step.team_reward == -4).all()


def test_a_captor_is_gone_for_the_next_prey():
    # Would break: captors who count twice. b stands beside both; whichever prey is first is captured,
    # and the other one has met one agent, alone.
    state = board("aXb..", "..Yc.", ".....", ".....")  # Y is beside b and c, X beside a and b
    after, step = play(state, (CATCH, CATCH, CATCH))
    assert (step.team_reward == 8).all()
    assert {tuple(x) for x in np.asarray(after.free).T.tolist()} == {
        (False, False, True),
        (True, False, False),
    }


def test_episodes_end_when_all_prey_or_no_agents_are_left():
    # Would break: an end that is taken for a cut, or an episode that outlives either.
    _, step = play(board("aXb..", ".....", ".....", "....c"), (CATCH, CATCH, STAY))
    assert step.terminated.all()  # X was the last
    _, step = play(board("a....", ".....", ".....", "X...c", t=4), (STAY, STAY, STAY))
    assert not step.terminated.any() and not step.truncated.any()
    _, step = play(board("a....", ".....", ".....", "X...c", t=5), (STAY, STAY, STAY))
    assert not step.terminated.any() and step.truncated.all()
    _, step = play(board("aXb..", ".....", ".....", ".....", t=5), (CATCH, CATCH, STAY))
    assert step.terminated.all() and not step.truncated.any()


def test_what_is_legal():
    # Would break: a step off the grid that may be tried, catching from afar or around a corner.
    legal = lambda *rows: np.asarray(programs(SMALL)[1](board(*rows)).legal[0])
    names = lambda row: {i for i, may in enumerate(row) if may}
    a, b, c = map(names, legal("a....", ".X..b", ".....", "..c.Y"))
    assert (a, b, c) == ({RIGHT, DOWN, STAY}, {DOWN, LEFT, UP, STAY}, {RIGHT, LEFT, UP, STAY})
    a, b, c = map(names, legal("aX...", ".....", "..Yb.", "....."))
    assert (a, b, c) == ({RIGHT, DOWN, STAY, CATCH}, set(range(6)), {STAY})  # c is frozen
    a, _, _ = map(names, legal("....a", "X....", ".....", "....."))
    assert CATCH not in a  # X is in the next row, at the other end


def test_what_is_seen():
    # Would break: planes exchanged, an agent that does not see itself, a look around the grid's edge.
    obs = programs(SMALL)[1](board("aX...", "....b", ".....", "c...Y"))
    cells = np.asarray(obs.agents[0]).reshape(3, 3, 3, 3)
    agents, prey = np.zeros((3, 3)), np.zeros((3, 3))
    agents[1, 1] = prey[1, 2] = 1
    np.testing.assert_array_equal(cells[0, ..., 0], agents)
    np.testing.assert_array_equal(cells[0, ..., 1], prey)
    assert cells[2].sum() == 1 and cells[1].sum() == 1  # nothing but themselves
    grid = np.asarray(obs.state[0]).reshape(4, 5, 3)
    assert {tuple(x) for x in np.argwhere(grid[..., 0])} == {(0, 0), (1, 4), (3, 0)}
    assert {tuple(x) for x in np.argwhere(grid[..., 1])} == {(0, 1), (3, 4)}
    assert not grid[..., 2].any()
    assert obs.agents.dtype == obs.state.dtype == bool  # replay keeps what a world makes


def test_the_original_size_and_the_best_return():
    # Would break: the paper's widths; four captures by eight agents that pay anything but 40.
    env = PredatorPrey()
    assert (env.spec.features, env.spec.state, env.spec.actions, env.spec.horizon) == (75, 300, 6, 200)
    rows = ("aXb.cYd...", "..........", "eZf....gWh", *["." * 10] * 7)
    _, step = play(board(*rows, env=env, copies=4), [CATCH] * 8, env)
    assert (step.team_reward == 40).all() and step.terminated.all()
    state, _ = jax.jit(env.reset, static_argnums=1)(jr.key(0), 64)
    cells = np.concatenate([state.agents, state.prey])
    assert all(len(set(column)) == 16 for column in cells.T) and bool(env.inside(jnp.asarray(cells)).all())
    assert set(cells.ravel()) == {r * env.stride + c for r in range(10) for c in range(10)}  # anywhere


def game(env, board, action, turns, prey_turns, lots):
    """The rules once more, in plain Python, for one copy; orders and lots are given."""
    agents, prey = dict(board[0]), dict(board[1])
    inside = lambda at: 0 <= at[0] < env.rows and 0 <= at[1] < env.columns
    beside = lambda at: [(at[0] + d[0], at[1] + d[1]) for d in WAYS.values()]
    for i in sorted(agents, key=lambda i: turns[i]):
        if action[i] in WAYS:
            to = beside(agents[i])[action[i]]
            if inside(to) and to not in [*agents.values(), *prey.values()]:
                agents[i] = to
    pays = 0
    for p in sorted(prey, key=lambda p: prey_turns[p]):
        hunters = [i for i in agents if action[i] == CATCH and agents[i] in beside(prey[p])]
        if len(hunters) >= 2:
            pays += 10
            del prey[p]
            agents = {i: at for i, at in agents.items() if i not in hunters}
            continue
        pays += env.punishment * len(hunters)
        free = [to for to in beside(prey[p]) if inside(to) and to not in [*agents.values(), *prey.values()]]
        if free:
            prey[p] = free[int(np.float32(lots[prey_turns[p]]) * len(free))]
    return agents, prey, pays


def test_random_play_follows_the_rules():
    # Would break: any rule, in any situation that 60 steps of 48 crowded copies come to.
    env, n = PredatorPrey(agents=4, prey=3, rows=3, columns=4, sight=1, punishment=-1.5), 48

    @jax.jit
    def advance(state, action, turns, prey_turns, lots):
        agents = env.move_agents(state, action, turns)
        hunt = env.play_prey(state, agents, action == CATCH, prey_turns, lots)
        after = replace(state, agents=agents, prey=hunt.prey, free=hunt.free, alive=hunt.alive)
        return after, 10 * hunt.captures + env.punishment * hunt.alone, env.observe(after)

    rng = np.random.default_rng(0)
    state, obs = jax.jit(env.reset, static_argnums=1)(jr.key(0), n)
    at = lambda cells, there, i: {
        k: divmod(int(c), env.stride) for k, c in enumerate(np.asarray(cells)[:, i]) if there[k, i]
    }
    boards = lambda s: [
        (at(s.agents, np.asarray(s.free), i), at(s.prey, np.asarray(s.alive), i)) for i in range(n)
    ]
    queue = lambda count: np.stack([rng.permutation(count) for _ in range(n)], axis=1)
    captures = alone = 0
    for _ in range(60):
        legal = np.asarray(obs.legal)
        likes = rng.random(legal.shape) + np.where(np.arange(6) == CATCH, 0.4, 0.0)
        action = np.argmax(np.where(legal, likes, -1), axis=-1).T
        turns, prey_turns, lots = queue(4), queue(3), rng.random((3, n)).astype(np.float32)
        before = boards(state)
        state, pays, obs = advance(state, jnp.asarray(action), turns, prey_turns, lots)
        told = [
            game(env, before[i], action[:, i], turns[:, i], prey_turns[:, i], lots[:, i]) for i in range(n)
        ]
        assert [one[:2] for one in told] == boards(state)
        np.testing.assert_allclose(pays, [one[2] for one in told])
        captures, alone = captures + int((pays > 0).sum()), alone + int((pays < 0).sum())
    assert captures > 30 and alone > 100  # else nothing was compared


def test_a_grid_without_room_is_refused():
    # Would break: a crash inside a compiled reset.
    with pytest.raises(UserError, match="find no room"):
        PredatorPrey(rows=3, columns=5)


def test_it_can_be_filmed():
    # Would break: rows that count upwards, things that are not where they are seen, a scene without sizes.
    assert isinstance(SMALL, Scenic)
    scene = SMALL.scene(board("aX...", "....b", ".....", "c...Y", copies=2))
    np.testing.assert_allclose(scene.agents[:, :, 0], [[-0.8, 0.6], [0.8, 0.2], [-0.8, -0.6]], atol=1e-6)
    np.testing.assert_allclose(scene.objects[:, :, 0], [[-0.4, 0.6], [0.8, -0.6]], atol=1e-6)
    assert scene.touching[:, 0].tolist() == [True, False, False]
    assert len(scene.object_radii) == len(scene.object_colours) == len(scene.object_kinds) == 2
    assert scene.highlighted.all() and not scene.removed.any()
    scene = SMALL.scene(board("aX...", "....b", ".....", "c....", copies=2))  # Y is captured
    assert scene.highlighted[:, 0].tolist() == [True, False] and scene.removed[:, 0].tolist() == [False, True]
