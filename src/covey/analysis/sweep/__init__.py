"""Sweeps: many settings searched on many cores, and what came of it."""
