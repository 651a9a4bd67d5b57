"""A small world's observations and state as rows of entities, made by hand."""

import numpy as np

from covey.core import EntityLayout, EntityRows, Spec

PLAIN = 4  # actions that name nobody


def layout(agents, enemies, healer=True):
    """Two numbers of surroundings, rows of enemies (mark, x, health), of allies (x, health), the own row."""
    foes = EntityRows(2, enemies, 3, mark=0, dx=1, health=2, action=PLAIN)
    friends = EntityRows(2 + 3 * enemies, agents - 1, 2, dx=0, health=1)
    own = EntityRows(friends.start + 2 * (agents - 1), 1, 3, health=0)
    return EntityLayout(own, friends, foes, healer=2 if healer else None, around=((0, 2),))


def state_layout(agents, enemies, healer=True):
    """Rows of agents (health, x, whether it heals), of enemies (health, x), last actions, a clock."""
    friends = EntityRows(0, agents, 3, health=0)
    foes = EntityRows(3 * agents, enemies, 2, health=0, action=PLAIN)
    actions = EntityRows(foes.start + 2 * enemies, agents, action_count(agents, enemies, healer))
    clock = actions.start + agents * actions.width
    return EntityLayout(
        EntityRows(0, 0, 0),
        friends,
        foes,
        healer=2 if healer else None,
        last_actions=actions,
        around=((clock, clock + 1),),
    )


def action_count(agents, enemies, healer=True):
    return PLAIN + (max(agents, enemies) if healer else enemies)


def spec_of(agents, enemies, healer=True):
    seen = layout(agents, enemies, healer)
    told = state_layout(agents, enemies, healer)
    return Spec(
        names=tuple(f"agent_{i}" for i in range(agents)),
        features=seen.own.start + 3,
        actions=action_count(agents, enemies, healer),
        horizon=9,
        state=told.around[0][1],
        layouts=(seen,),
        state_layouts=(told,),
    )


class Moment:
    """What agents see at one moment, free of any order, and what they did last."""

    def __init__(self, agents, enemies, heals, seed=0):
        rng = np.random.default_rng(seed)
        draw = lambda *shape: rng.uniform(0.1, 1, shape).astype(np.float32)
        self.around = draw(agents, 2)
        self.foes = draw(agents, enemies, 3)
        self.friends = draw(agents, agents, 2)
        self.own = np.concatenate([draw(agents, 2), np.float32(heals)[:, None]], axis=1)
        self.heals = np.array(heals, bool)
        self.last = rng.integers(0, PLAIN + enemies, agents)
        self.last[self.heals] = PLAIN + rng.integers(0, agents, self.heals.sum())
        self.state_own = np.concatenate([draw(agents, 2), np.float32(heals)[:, None]], axis=1)
        self.state_foes = draw(enemies, 2)
        self.clock = draw(1)

    def permuted(self, team, foes):
        """Return the same moment where the agents `team` and the enemies `foes` come in this order."""
        other = object.__new__(Moment)
        rows = lambda x: x[team]
        other.around, other.own, other.state_own = rows(self.around), rows(self.own), rows(self.state_own)
        other.foes = self.foes[team][:, foes]
        other.friends = self.friends[team][:, team]
        other.heals = rows(self.heals)
        other.state_foes, other.clock = self.state_foes[foes], self.clock
        place = np.argsort(team)
        foe_place = np.argsort(foes)
        other.last = self.last[team].copy()
        for i, action in enumerate(other.last):
            if action >= PLAIN:
                names = place if other.heals[i] else foe_place
                other.last[i] = PLAIN + names[action - PLAIN]
        return other

    @property
    def agents(self):
        return len(self.own)

    @property
    def last_one_hot(self):
        n, foes = self.foes.shape[:2]
        return np.eye(action_count(n, foes, self.heals.any()), dtype=np.float32)[self.last]

    def features(self):
        n = self.agents
        others = [np.delete(self.friends[i], i, axis=0).ravel() for i in range(n)]
        parts = [self.around, self.foes.reshape(n, -1), np.stack(others), self.own]
        return np.concatenate(parts, axis=1)

    def state(self):
        parts = [self.state_own, self.state_foes, self.last_one_hot, self.clock]
        return np.concatenate([part.ravel() for part in parts])
