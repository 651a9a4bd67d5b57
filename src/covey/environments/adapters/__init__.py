"""Adapters for worlds that are Python programs."""
