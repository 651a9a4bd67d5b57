"""Layers, agents, mixers."""
