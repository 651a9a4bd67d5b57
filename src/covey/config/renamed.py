"""Old names that a user may still type, each with the name of today. It imports nothing heavy."""

RENAMED_FIELDS = {"sides": "learners"}  # of a configuration
RENAMED_CHOICES = {"fresh": "on_policy"}  # of a part
