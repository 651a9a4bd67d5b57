"""A run: its session, engine, checkpoints, folder, metrics, and the policy that it leaves."""
