"""Made for absence: embracenet, missing, posterior."""
