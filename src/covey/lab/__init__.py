"""The operator lab: what VDN, QMIX and weighted QMIX could make of a table, beside what they find."""

from .operators import OPERATORS, Projection, project
from .study import Study, study_game

__all__ = ["OPERATORS", "Projection", "Study", "project", "study_game"]
