"""The medical task: its DataModule, the built-in patients, the public sources."""
