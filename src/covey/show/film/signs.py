"""The colour and the sign by which each agent is known in a film."""

from ...core import Spec
from .theme import team_colour


def agent_labels(spec: Spec) -> tuple[str, ...]:
    """Return a sign for each agent, unique within its team.

    It is the number in the agent's name, or its initial, or a count: the first that tells all of them apart.
    """
    signs = list(spec.names)
    for team in spec.teams:
        members = spec.members(team)
        names = [spec.names[i] for i in members]
        digits = [name[len(name.rstrip("0123456789")) :] for name in names]
        initials = [name[:1].upper() for name in names]
        counts = [str(i) for i in range(len(names))]
        unique = lambda candidates: all(candidates) and len(set(candidates)) == len(candidates)
        for i, sign in zip(members, next(filter(unique, (digits, initials, counts))), strict=True):
            signs[i] = sign
    return tuple(signs)


def agent_colours(spec: Spec) -> tuple[str, ...]:
    """Return each agent's colour, which is its team's."""
    colours = {}
    for t, team in enumerate(spec.teams):
        colours |= dict.fromkeys(spec.members(team), team_colour(t))
    return tuple(colours[i] for i in range(spec.agents))
