"""Formulas that algorithms share: one equation each, without state or configuration."""

from .collectives import PART, agreed, mean, pooled, shard, standardised
from .descent import cosine, descend, descend_by_rows, gradients, init_opt_state, init_target, step
from .losses import clipped_value_loss, huber, surrogate, term, total
from .random import each, named
from .returns import gae, td_lambda
from .selection import epsilon_greedy, masked, previous, take

__all__ = [
    "PART",
    "agreed",
    "clipped_value_loss",
    "cosine",
    "descend",
    "descend_by_rows",
    "each",
    "epsilon_greedy",
    "gae",
    "gradients",
    "huber",
    "init_opt_state",
    "init_target",
    "masked",
    "mean",
    "named",
    "pooled",
    "previous",
    "shard",
    "standardised",
    "step",
    "surrogate",
    "take",
    "td_lambda",
    "term",
    "total",
]
