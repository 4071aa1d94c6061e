"""The task whose truth is known: laws with exact information, Bayes accuracy and, for Gaussians, the best α."""
