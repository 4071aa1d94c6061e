"""What flows through the model: a batch of modalities with their presence.

Shape letters, here and in every docstring: B samples, M modalities (sorted by name), K tokens per modality,
L tokens in all, D width, G branches, C outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Batch:
    """One batch. `presence` is bool (B, M), its columns in the sorted order of the modalities' names.

    `inputs[name]` is (B, …) for every modality; rows where it is absent hold anything at all.
    `truth[target]` is (B, …); an unknown truth is −1 (multiclass) or NaN.
    `features[name]` (B, L, D_e) and `feature_mask[name]` (B, L), where present, replace running the encoder.
    """

    inputs: dict[str, Tensor]
    presence: Tensor
    truth: dict[str, Tensor]
    ids: list[str]
    features: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device. Lightning calls this; without it, it would walk all of the ids each step."""
        return Batch(
            inputs={name: x.to(device) for name, x in self.inputs.items()},
            presence=self.presence.to(device),
            truth={name: truth.to(device) for name, truth in self.truth.items()},
            ids=self.ids,
            features={name: (tokens.to(device), mask.to(device)) for name, (tokens, mask) in self.features.items()},
        )
