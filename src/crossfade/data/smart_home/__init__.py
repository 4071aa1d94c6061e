"""The smart-home task: its DataModule and its public sources."""
