"""Adapters for worlds of other packages: `foreign` has what they share, `recognise` knows a user's class."""
