"""Products of the modalities: tfn, lmf, mfb, mutan, multiplicative."""
