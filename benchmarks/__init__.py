"""Speed, side by side with peers. README.md says how to run each."""
