"""Names, settings, presets and the configuration of a run: from words to objects."""
