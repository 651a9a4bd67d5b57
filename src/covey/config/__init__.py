"""From words to objects: names, settings, presets, and the configuration of a run."""
