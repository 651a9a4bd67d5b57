"""The operator lab: the best tables that VDN, QMIX and weighted QMIX could represent, and what they find."""

from .operators import OPERATORS, Projection, project
from .solve import study_game
from .study import Study, check_picture_path

__all__ = ["OPERATORS", "Projection", "Study", "check_picture_path", "project", "study_game"]
