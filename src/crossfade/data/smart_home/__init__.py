"""The smart-home task: its DataModule, its built-in households, its public sources."""
