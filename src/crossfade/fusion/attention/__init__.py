"""Attention among a sample's modalities: merged (attention), in pairs (cross_attention), from the others (coattention).

None crosses samples. Heads see Vaswani et al. 2017, arXiv:1706.03762, eq. 1.
"""
