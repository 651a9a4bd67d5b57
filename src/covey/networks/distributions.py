"""Distributions over actions: categorical, or Gaussian in a box.

A `choice` is what was drawn; `action` turns it into the action that the world receives. Illegal actions are
never chosen. Dimensions that an agent lacks add nothing to probabilities, entropies or divergences.
"""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from ..core import Action
from ..ops import masked, take

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
_LOG_ROOT_TWO_PI = 0.5 * float(np.log(2 * np.pi))
_Self = TypeVar("_Self", bound="AbstractDistribution")
_Choice = TypeVar("_Choice")


class AbstractDistribution(eqx.Module, Generic[_Choice]):
    """A distribution over each agent's actions; agents act independently."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray) -> _Choice:
        """Draw a choice."""

    @abc.abstractmethod
    def mode(self) -> _Choice:
        """Return the most likely choice."""

    @abc.abstractmethod
    def action(self, choice: _Choice) -> Action:
        """Turn a choice into an action."""

    @abc.abstractmethod
    def log_prob(self, choice: _Choice) -> Float[Array, "*b"]:
        """Return the log-probability of a choice."""

    @abc.abstractmethod
    def entropy(self) -> Float[Array, "*b"]:
        """Return the entropy."""

    @abc.abstractmethod
    def kl(self: _Self, other: _Self) -> Float[Array, "*b"]:
        """Return KL(self || other)."""

    @abc.abstractmethod
    def distances(self) -> Float[Array, "*b agents"]:
        """Return the Wasserstein distance between each two agents' distributions.

        The distance between two discrete actions is 1; that between continuous ones is Euclidean, of order 2,
        before they are squashed or clipped.
        """


class Categorical(AbstractDistribution[Int[Array, "*b"]]):
    """p(u) = exp(x_u) / sum over legal v of exp(x_v)."""

    log_p: Float[Array, "*b actions"]

    def __init__(self, logits: Float[Array, "*b actions"], legal: Bool[Array, "*b actions"]):
        self.log_p = jax.nn.log_softmax(masked(logits, legal))

    def sample(self, key):
        return jr.categorical(key, self.log_p)

    def mode(self):
        return jnp.argmax(self.log_p, axis=-1)

    def action(self, choice):
        return choice

    def log_prob(self, choice):
        return take(self.log_p, choice)

    def entropy(self):
        return -jnp.sum(jnp.exp(self.log_p) * self.log_p, axis=-1)

    def kl(self, other):
        return jnp.sum(jnp.exp(self.log_p) * (self.log_p - other.log_p), axis=-1)

    def distances(self):
        p = jnp.exp(self.log_p)
        return 0.5 * jnp.sum(jnp.abs(p[..., :, None, :] - p[..., None, :, :]), axis=-1)


def scale_to_bounds(
    x: Float[Array, "*b dims"], legal: Bool[Array, "*b dims"], bounds: tuple[float, float]
) -> Float[Array, "*b dims"]:
    """Map [-1, 1] to the bounds; a dimension that an agent lacks gets the lower bound."""
    low, high = bounds
    return jnp.where(legal, jnp.clip(low + 0.5 * (high - low) * (x + 1.0), low, high), low)


def straight_through(
    logits: Float[Array, "*b actions"],
    legal: Bool[Array, "*b actions"],
    temperature: Float[Array, ""] | float,
    key: PRNGKeyArray,
) -> Float[Array, "*b actions"]:
    """Sample a legal choice, one-hot, with the gradient of softmax((x + noise) / temperature).

    The noise is a Gumbel draw (Jang et al., 2017; Maddison et al., 2017).
    """
    x = masked(logits + jr.gumbel(key, logits.shape), legal)
    soft = jax.nn.softmax(x / temperature)
    hard = jax.nn.one_hot(jnp.argmax(x, axis=-1), x.shape[-1])
    return hard + (soft - jax.lax.stop_gradient(soft))


class Gaussian(AbstractDistribution[Float[Array, "*b dims"]]):
    """u ~ N(mean, deviation^2), then tanh(u) if `squashed`, else u clipped to [-1, 1]; scaled to `bounds`.

    If squashed, probabilities and entropies are those of tanh(u), with the expectation of log(1 - tanh(u)^2)
    by Gauss-Hermite quadrature. If clipped, they are those of u itself.
    """

    mean: Float[Array, "*b dims"]
    log_deviation: Float[Array, "*#b dims"]
    legal: Bool[Array, "*b dims"]
    bounds: tuple[float, float] = eqx.field(static=True)
    squashed: bool = eqx.field(static=True)

    def sample(self, key):
        return self.mean + jnp.exp(self.log_deviation) * jr.normal(key, self.mean.shape)

    def mode(self):
        return self.mean

    def action(self, choice):
        x = jnp.tanh(choice) if self.squashed else jnp.clip(choice, -1.0, 1.0)
        return scale_to_bounds(x, self.legal, self.bounds)

    def total(self, x: Float[Array, "*b dims"]) -> Float[Array, "*b"]:
        """Sum over the dimensions that each agent has."""
        return jnp.sum(jnp.where(self.legal, x, 0.0), axis=-1)

    def log_prob(self, choice):
        z = (choice - self.mean) * jnp.exp(-self.log_deviation)
        slope = log_tanh_slope(choice) if self.squashed else 0.0
        return self.total(-0.5 * z**2 - self.log_deviation - _LOG_ROOT_TWO_PI - slope)

    def entropy(self):
        slope = 0.0
        if self.squashed:
            u = self.mean[..., None] + jnp.exp(self.log_deviation)[..., None] * _NODES
            slope = log_tanh_slope(u) @ (_WEIGHTS / np.sum(_WEIGHTS))
        # 0 * mean gives the sum the shape of the batch, which log_deviation may lack
        return self.total(0.5 + _LOG_ROOT_TWO_PI + self.log_deviation + slope + 0.0 * self.mean)

    def kl(self, other):
        """Return KL(self || other). Squashing does not change it: both are squashed alike."""
        ratio = self.log_deviation - other.log_deviation
        z = (self.mean - other.mean) * jnp.exp(-other.log_deviation)
        return self.total(0.5 * (jnp.exp(2 * ratio) + z**2 - 1) - ratio)

    def distances(self):
        apart = lambda x: (x[..., :, None, :] - x[..., None, :, :]) ** 2
        square = apart(self.mean) + apart(jnp.exp(self.log_deviation))
        both = self.legal[..., :, None, :] & self.legal[..., None, :, :]
        return jnp.sqrt(jnp.sum(jnp.where(both, square, 0.0), axis=-1))


def log_tanh_slope(u: Shaped[Array, "*b"]) -> Float[Array, "*b"]:
    """Return log(1 - tanh(u)^2), also where tanh rounds to 1."""
    return 2.0 * (np.log(2.0) - u - jax.nn.softplus(-2.0 * u))


def epsilon_floor(
    logits: Float[Array, "*b actions"], legal: Bool[Array, "*b actions"], epsilon: Float[Array, ""]
) -> Float[Array, "*b actions"]:
    """Return probabilities with `epsilon` of them spread evenly over all actions; illegal ones get none."""
    p = (1 - epsilon) * jax.nn.softmax(logits) + epsilon / logits.shape[-1]
    p = jnp.where(legal, p, 0.0)
    return p / jnp.maximum(jnp.sum(p, axis=-1, keepdims=True), 1e-10)
