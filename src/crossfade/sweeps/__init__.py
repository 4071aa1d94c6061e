"""Many runs from one command: which are distinct, one folder for all, one table at the end."""
