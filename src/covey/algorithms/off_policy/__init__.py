"""Networks and losses shared by algorithms with deterministic critics."""
