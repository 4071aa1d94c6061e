"""A trained model under corrupted and attacked modalities."""
