"""Crossfade's launchers, as Hydra finds them."""
