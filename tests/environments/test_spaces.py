"""Gymnasium's spaces as arrays."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple, flatdim, flatten

from covey.environments.adapters.spaces import (
    ActionSpaces,
    ObservationSpaces,
    flat_row,
    flat_width,
    kind_of,
    split_mask,
    without_mask,
)
from covey.errors import UserError

OBSERVATIONS = [
    Box(-1, 1, (2, 3)),
    Discrete(4, start=2),
    MultiDiscrete([2, 3]),
    MultiBinary(3),
    Tuple([Discrete(2), Box(0, 1, (2,))]),
    Dict(a=Discrete(3), b=Dict(c=Box(0, 1, (1,)), d=MultiBinary((2, 2)))),
]


@pytest.mark.parametrize("space", OBSERVATIONS, ids=kind_of)
def test_observations_are_flattened_as_gymnasium_does(space):
    # fails if a part is lost, out of order, or a choice is no one-hot vector
    space.seed(3)
    for _ in range(3):
        x = space.sample()
        np.testing.assert_allclose(flat_row(space, x), flatten(space, x))
    assert flat_width(space) == flatdim(space)


def test_rows_are_padded_and_wrong_widths_told():
    # fails if a narrow observation spills into another's place
    rows = ObservationSpaces([Box(0, 1, (2,)), Discrete(3)])
    agents = np.zeros((2, rows.features), np.float32)
    assert rows.fill(agents[0], 0, [0.5, 0.25]) == 2
    assert rows.fill(agents[1], 1, 2) == 3
    np.testing.assert_array_equal(agents, [[0.5, 0.25, 0], [0, 0, 1]])
    assert rows.fill(agents[0], 0, [1, 1, 1]) == 3
    np.testing.assert_array_equal(agents[0], [0.5, 0.25, 0])


def test_masks_are_taken_out_of_observations():
    # fails if the mask is among the features, or more than one other part is lost
    mask = Box(0, 1, (2,))
    assert kind_of(without_mask(Dict(observation=Box(0, 1, (1,)), action_mask=mask))) == "Box"
    rest = without_mask(Dict(a=Discrete(2), b=Discrete(2), action_mask=mask))
    assert set(rest.spaces) == {"a", "b"}
    assert split_mask({"observation": 7, "action_mask": [1, 0]}) == (7, [1, 0])
    assert split_mask({"a": 1, "b": 2, "action_mask": [1, 0]}) == ({"a": 1, "b": 2}, [1, 0])
    assert split_mask({"a": 1}) == ({"a": 1}, None)


JOINT = [
    MultiDiscrete([3, 4]),
    MultiDiscrete([2, 2], start=[5, 6]),
    MultiBinary(3),
    Tuple([Discrete(2), Discrete(3, start=1)]),
    Dict(a=Discrete(2), b=MultiDiscrete([2, 2])),
]


@pytest.mark.parametrize("space", JOINT, ids=str)
def test_joint_choices_are_each_member_once(space):
    # fails if a joint choice is none of the space's, or two numbers mean the same
    actions = ActionSpaces([space])
    count = actions.available.shape[1]
    members = [actions.own(0, k, actions.available[0]) for k in range(count)]
    assert all(space.contains(member) for member in members)
    assert len({str(flatten(space, member)) for member in members}) == count
    assert actions.bounds is None


def test_a_mask_of_each_part_is_one_of_joint_choices():
    # fails if parts are crossed in another order than choices are numbered
    actions = ActionSpaces([MultiDiscrete([2, 3])])
    legal = actions.legal(([1, 0], [0, 1, 1]))
    assert [actions.own(0, k, legal).tolist() for k in np.flatnonzero(legal)] == [[0, 1], [0, 2]]
    np.testing.assert_array_equal(actions.legal(np.zeros(6)), [True] + [False] * 5)


def test_choices_among_boxes_are_the_largest_dimension():
    # fails if a discrete agent beside a continuous one cannot act, or takes an illegal choice
    actions = ActionSpaces([Discrete(3), Box(-2, 2, (2,))])
    assert actions.bounds == (-2.0, 2.0)
    assert actions.own(0, np.float32([-1, 1.5, 0]), actions.available[0]) == 1
    assert actions.own(0, np.float32([-1, 1.5, 0]), np.array([True, False, True])) == 2
    np.testing.assert_allclose(actions.own(1, np.float32([1, -2, 9]), actions.available[1]), [1, -2])


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (
            MultiDiscrete([9, 8]),
            "72 joint choices, more than 64: wrap the world .* or make each part an agent",
        ),
        (Tuple([Discrete(2), Box(0, 1, (1,))]), "mixes choices and numbers"),
        (Box(-np.inf, 1, (1,)), "has no bounds: wrap the world"),
        (Text(3), "kind Text"),
    ],
)
def test_actions_that_fit_nothing_are_refused_with_a_remedy(space, sentence):
    # fails if a user's world ends in a traceback, or the remedy is not told
    with pytest.raises(UserError, match=sentence):
        ActionSpaces([space])


def test_observations_that_are_no_numbers_are_refused():
    # fails if a text reaches a network
    with pytest.raises(UserError, match="kind Text are no numbers"):
        ObservationSpaces([Text(3)])
