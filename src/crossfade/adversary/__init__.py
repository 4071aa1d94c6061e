"""Adversarial perturbation: the attacks, and training on samples that they have perturbed."""
