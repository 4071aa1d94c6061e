"""Hydra finds its plugins in this namespace; imports nothing heavy."""
