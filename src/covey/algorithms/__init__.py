"""One file an algorithm: its mathematics."""
