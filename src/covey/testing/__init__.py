"""Proofs for classes of your own: does a world, does an algorithm, keep what the protocol asks of it?

    from covey.testing import check_environment
    check_environment(MyWorld())

Silence is success. A failure is a `CheckError` that says what is wrong, where, and what to do.
"""

from .algorithms import check_algorithm
from .environments import check_environment
from .proof import CheckError

__all__ = ["CheckError", "check_algorithm", "check_environment"]
