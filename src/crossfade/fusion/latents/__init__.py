"""Attention by way of a few latent tokens, or level by level: bottleneck, perceiver, hierarchical."""
