"""The modalities as a set: deep sets, attention pooling."""
