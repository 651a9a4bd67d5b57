"""What on-policy algorithms share: chunks, passes over them, a scale for values."""
