"""Training on the same work by other libraries."""
