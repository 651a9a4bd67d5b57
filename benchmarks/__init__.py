"""Benchmarks of speed and learning, beside peers. README.md has the command of each."""
