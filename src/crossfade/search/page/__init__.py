"""The pages of searches: what was tried, what was chosen by it, and what may be reported."""
