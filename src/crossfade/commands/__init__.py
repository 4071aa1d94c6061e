"""The commands of the command line, one a file. They import what is heavy only after their checks."""
