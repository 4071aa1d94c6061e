"""What encoders, fusion and core are built of: attention blocks, masked means, embeddings, draws."""
