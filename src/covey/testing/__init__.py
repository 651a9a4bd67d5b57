"""Checks for your own classes: does a world, or an algorithm, keep the protocol?

    from covey.testing import check_environment
    check_environment(MyWorld())

A check that passes is silent. One that fails raises a `CheckError`, which says what is wrong, where, and
what to do.
"""

from .algorithms import check_algorithm
from .checks import CheckError
from .environments import check_environment

__all__ = ["CheckError", "check_algorithm", "check_environment"]
