"""Analysis of runs: comparison, ablation, and runs that play against each other."""
