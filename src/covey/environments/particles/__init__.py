"""Particle worlds, faithful to mpe2 1.1.1."""
