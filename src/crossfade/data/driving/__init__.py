"""The driving task: the built-in drives, their simulation, and what every sensor makes of a scene."""
