"""Convolutional agents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.errors import SettingError
from covey.networks import CNN, InputPart, NetworkInterface

KEY = jax.random.key(0)
PICTURE = InputPart(5 * 9 * 2, picture=(5, 9, 2))
OPTIONS = {"channels": 4, "layers": 2, "hidden": 6}


def test_a_picture_is_read_with_what_stands_beside_it():
    # fails if a part is left out, or batches are mixed up
    net = CNN(PICTURE.width + 3, 2, NetworkInterface((PICTURE, InputPart(3)), 2), **OPTIONS, key=KEY)
    x = jax.random.normal(KEY, (2, 3, PICTURE.width + 3))
    _, y = net.step(jnp.zeros((2, 3, 0)), x)
    assert y.shape == (2, 3, 2)
    np.testing.assert_allclose(net(x[1, 2]), y[1, 2], atol=1e-5)
    slopes = jax.grad(lambda x: jnp.sum(net(x) ** 2))(x[0, 0])
    assert np.all(slopes[-3:] != 0)
    assert np.mean(np.asarray(slopes[:-3]) != 0) > 0.5
    assert net.carry_size == 0


def test_convolutions_are_over_rows_and_columns():
    # fails if the picture is cut along other axes: a pixel must reach its neighbourhood alone
    net = CNN(PICTURE.width, 2, NetworkInterface((PICTURE,), 2), channels=4, layers=1, hidden=6, key=KEY)
    layer = net.convolutions[0][0]
    assert layer.stride == (1, 2)  # nine columns are more than eight
    blank = layer(jnp.zeros((1, 5, 9, 2)))
    touched = layer(jnp.zeros((1, 5, 9, 2)).at[0, 2, 4, 1].set(5.0)) != blank
    assert touched.shape == (1, 5, 5, 4)
    places = np.argwhere(np.asarray(touched).any(-1))[:, 1:]
    assert len(places)
    assert np.all(np.abs(places - np.array([2, 2])) <= 1)


def test_pictures_side_by_side_are_channels():
    # fails if a critic cannot read everybody's pictures
    several = InputPart(3 * PICTURE.width, picture=PICTURE.picture)
    net = CNN(several.width, 1, NetworkInterface((several,), 0, 1), **OPTIONS, key=KEY)
    assert net.convolutions[0][0].linear.weight.shape[0] == 9 * 6
    assert net(jnp.ones((4, several.width))).shape == (4, 1)


def test_without_a_picture_it_is_refused():
    # fails if a world of plain features ends in a traceback
    with pytest.raises(SettingError, match="reads pictures"):
        CNN(3, 2, NetworkInterface((InputPart(3),), 2), key=KEY)
