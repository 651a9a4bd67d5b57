"""Chunks, passes over them, and a scale for values, shared by on-policy algorithms."""
