"""The driving task: its DataModule, the built-in drives, the public sources."""
