"""Each modality decides alone, then the decisions are mixed: late, stacking, quality, loglinear, poe, evidential."""
