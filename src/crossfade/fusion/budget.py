"""What a fusion would take of the memory, reckoned before anything is allocated. Imports no torch."""

from __future__ import annotations

COPIES = 4  # a weight, its gradient and AdamW's two moments
BYTES = 4  # float32


def outer_product_problem(modalities: int, width: int, hidden: int, memory_gb: float) -> str:
    """What to tell the user where (H + 1)^M·D weights do not fit `memory_gb` GiB in training; "" where they do."""

    def needed(features: int) -> float:
        return (features + 1) ** modalities * width * COPIES * BYTES / 2**30

    if needed(hidden) <= memory_gb:
        return ""
    fits = next((h for h in range(hidden - 1, 0, -1) if needed(h) <= memory_gb), None)
    smaller = f"Lower fusion.hidden ({fits} fits)" if fits else "Use fewer modalities"
    return (
        f"fusion.hidden={hidden}: the outer product of {modalities} modalities has ({hidden} + 1)^{modalities} = "
        f"{(hidden + 1) ** modalities:,} features; with width={width} its weights take {needed(hidden):,.1f} GiB in "
        f"training, more than fusion.memory_gb={memory_gb:g}. {smaller}, raise fusion.memory_gb, or take the same "
        "tensor at low rank with fusion=lmf."
    )
