"""Where a trained model looks: in images, in words, in columns, in time."""
