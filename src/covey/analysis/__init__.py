"""What the numbers of finished runs say."""
