"""Data: sources give samples, transforms make tensors of them, one DataModule per task serves them."""
