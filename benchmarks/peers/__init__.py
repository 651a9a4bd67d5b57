"""Other libraries' training on the same work."""
