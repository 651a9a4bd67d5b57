"""SMAC's language in plain NumPy, unit by unit: a second implementation to hold the world to."""

from dataclasses import dataclass, field

import numpy as np

HEALTH = {
    "marine": 45,
    "marauder": 125,
    "medivac": 150,
    "stalker": 80,
    "zealot": 100,
    "colossus": 200,
    "hydralisk": 80,
    "zergling": 35,
    "baneling": 30,
}
SHIELD = {"stalker": 80, "zealot": 50, "colossus": 150}
COOLDOWN = {
    "marine": 15,
    "marauder": 25,
    "stalker": 35,
    "zealot": 22,
    "colossus": 24,
    "hydralisk": 10,
    "zergling": 11,
    "baneling": 1,
}
# The place of a type in one-hots, for allies and for enemies.
BITS = {
    "stalkers_and_zealots": ({"stalker": 0, "zealot": 1}, {"zealot": 0, "stalker": 1}),
    "colossi_stalkers_zealots": 2 * ({"colossus": 0, "stalker": 1, "zealot": 2},),
    "MMM": 2 * ({"marauder": 0, "marine": 1, "medivac": 2},),
    "bane": 2 * ({"baneling": 0, "zergling": 1},),
}
FLAGS = {
    "obs_all_health": True,
    "obs_own_health": True,
    "obs_last_action": False,
    "obs_pathing_grid": False,
    "obs_terrain_height": False,
    "obs_timestep_number": False,
    "state_last_action": True,
    "state_timestep_number": False,
    "reward_sparse": False,
    "reward_only_positive": True,
}


@dataclass
class Unit:
    """A unit at one moment."""

    name: str
    x: float
    y: float
    health: float
    shield: float
    cooldown: float
    energy: float

    @property
    def alive(self):
        return self.health > 0

    def distance(self, other):
        return float(
            np.hypot(np.float32(other.x) - np.float32(self.x), np.float32(other.y) - np.float32(self.y))
        )


@dataclass
class Moment:
    """A battle at one moment, and how it is presented."""

    kind: str
    walkable: np.ndarray
    height: np.ndarray
    limit: int
    allies: list[Unit]
    enemies: list[Unit]
    last: list[int]  # actions; -1: none
    t: int
    flags: dict = field(default_factory=dict)

    def flag(self, name):
        return {**FLAGS, **self.flags}[name]

    @property
    def actions(self):
        return 6 + len(self.enemies)

    @property
    def bits(self):
        return len(BITS[self.kind][0]) if self.kind in BITS else 0

    def type_bits(self, unit, ally):
        hot = [0.0] * self.bits
        if self.bits:
            hot[BITS[self.kind][0 if ally else 1][unit.name]] = 1.0
        return hot

    def bars(self, unit, side):
        shielded = any(u.name in SHIELD for u in side)
        health = [unit.health / HEALTH[unit.name]]
        return [*health, unit.shield / SHIELD[unit.name]] if shielded else health

    def last_action(self, i):
        return [float(self.last[i] == a) for a in range(self.actions)]

    def cell(self, grid, x, y, beyond):
        return float(grid[x, y]) if 0 <= x < 32 and 0 <= y < 32 else beyond

    def legal(self, i):
        """Return what agent i may do."""
        unit = self.allies[i]
        legal = [0.0] * self.actions
        if not unit.alive:
            legal[0] = 1.0
            return legal
        legal[1] = 1.0
        for action, (dx, dy) in {2: (0, 1), 3: (0, -1), 4: (1, 0), 5: (-1, 0)}.items():
            legal[action] = self.cell(self.walkable, int(unit.x + dx), int(unit.y + dy), 0.0)
        heals = self.kind == "MMM" and unit.name == "medivac"
        for j, other in enumerate(self.allies if heals else self.enemies):
            if heals and other.name == "medivac":
                continue
            if other.alive and unit.distance(other) <= 6:
                legal[6 + j] = 1.0
        return legal

    def observation(self, i):
        """Return what agent i observes."""
        unit = self.allies[i]
        legal = self.legal(i)
        told = legal[2:6]
        x = int(unit.x)
        y = int(unit.y)
        around = [(0, 4), (0, -4), (4, 0), (-4, 0), (2, 2), (-2, -2), (2, -2), (-2, 2)]
        if self.flag("obs_pathing_grid"):
            told += [self.cell(self.walkable, x + dx, y + dy, 1.0) for dx, dy in around]
        if self.flag("obs_terrain_height"):
            told += [self.cell(self.height, x + dx, y + dy, 1.0) for dx, dy in [*around, (0, 0)]]
        for j, other in enumerate(self.enemies):
            told += self.entity(unit, other, self.enemies, legal[6 + j], [], False)
        for j, other in enumerate(self.allies):
            if j != i:
                extra = self.last_action(j) if self.flag("obs_last_action") else []
                told += self.entity(unit, other, self.allies, 1.0, extra, True)
        if self.flag("obs_own_health"):
            told += self.bars(unit, self.allies)
        told += self.type_bits(unit, True)
        if not unit.alive:
            told = [0.0] * len(told)
        if self.flag("obs_timestep_number"):
            told.append(self.t / self.limit)
        return told

    def entity(self, unit, other, side, mark, extra, ally):
        distance = unit.distance(other)
        told = [mark, distance / 9, (other.x - unit.x) / 9, (other.y - unit.y) / 9]
        if self.flag("obs_all_health"):
            told += self.bars(other, side)
        told += self.type_bits(other, ally) + extra
        return told if other.alive and distance < 9 else [0.0] * len(told)

    def state(self):
        """Return the global state."""
        told = []
        for unit in self.allies:
            if self.kind == "MMM" and unit.name == "medivac":
                charge = unit.energy / 200
            else:
                charge = unit.cooldown / COOLDOWN[unit.name]
            health, *shield = self.bars(unit, self.allies)
            place = [(unit.x - 16) / 32, (unit.y - 16) / 32]
            row = [health, charge, *place, *shield, *self.type_bits(unit, True)]
            told += row if unit.alive else [0.0] * len(row)
        for unit in self.enemies:
            health, *shield = self.bars(unit, self.enemies)
            place = [(unit.x - 16) / 32, (unit.y - 16) / 32]
            row = [health, *place, *shield, *self.type_bits(unit, False)]
            told += row if unit.alive else [0.0] * len(row)
        if self.flag("state_last_action"):
            for i in range(len(self.allies)):
                told += self.last_action(i)
        if self.flag("state_timestep_number"):
            told.append(self.t / self.limit)
        return told

    def end(self):
        """Return 1 for a win, -1 for a defeat, 0 for a draw, None where the battle goes on."""
        allies = [u for u in self.allies if u.alive]
        enemies = [u for u in self.enemies if u.alive]
        medics = self.kind == "MMM"
        if (not allies and enemies) or (medics and all(u.name == "medivac" for u in allies)):
            return -1
        if (allies and not enemies) or (medics and [u.name for u in enemies] == ["medivac"]):
            return 1
        return None if allies or enemies else 0


def reward(before, after):
    """Return SMAC's reward of the step between two moments."""
    end = after.end()
    most = 200 + sum(10 + HEALTH[u.name] + SHIELD.get(u.name, 0) for u in before.enemies)
    if after.flag("reward_sparse"):
        return (end or 0) / (most / 20)
    dealt = value(before.enemies, after.enemies)
    if after.flag("reward_only_positive"):
        earned = abs(dealt)
    else:
        earned = dealt - 0.5 * value(before.allies, after.allies)
    return (earned + 200 * (end == 1)) / (most / 20)


def value(before, after):
    """Return what a side lost: points, and 10 for each death."""
    lost = 0.0
    for old, new in zip(before, after, strict=True):
        if old.alive and new.alive:
            lost += old.health + old.shield - new.health - new.shield
        elif old.alive:
            lost += old.health + old.shield + 10
    return lost
