"""What the built-in sources share: draws of one sample alone, knobs per modality, rendering in blocks, a cache."""
