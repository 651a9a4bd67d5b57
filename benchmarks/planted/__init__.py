"""Algorithms and mixers with one defect each, which no error and no curve would show."""
