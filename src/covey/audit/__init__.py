"""The effect audit: it stops a run in which a setting, a module or a loss term has no effect."""
