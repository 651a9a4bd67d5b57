"""What algorithms with deterministic critics share: networks, and the actor's step."""
