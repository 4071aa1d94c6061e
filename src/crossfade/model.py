"""FusionModel, all of the pipeline in plain PyTorch: encoders → K tokens → embedding → imputation → fusion → …"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Encoder
from crossfade.fusion.base import Fusion
from crossfade.imputation.base import Imputation, NoImputation
from crossfade.layers.embedding import Embedding
from crossfade.targets.base import Target


class FusionModel(nn.Module):
    """ŷ = h(T(x_1, …, x_M)) for every target: inputs {modality: (B, …)}, presence (B, M) → {target: (B, C)}.

    The modalities are sorted by name, so the order of the dict cannot matter. What stands in the row of an absent
    modality (zeros, noise, NaN) is overwritten before its encoder sees it and masked after.

    `encoder_of` names the encoder of each modality; two names of one encoder share it. Without an `imputation`
    an absent modality is masked.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        encoder_of: Mapping[str, str],
        embeddings: Mapping[str, Embedding],
        fusion: Fusion,
        core: nn.Module,
        targets: Mapping[str, Target],
        imputation: Imputation | None = None,
    ) -> None:
        super().__init__()
        self.modalities = tuple(sorted(encoder_of))
        self.encoder_of = dict(encoder_of)
        self.encoders = nn.ModuleDict({name: encoders[name] for name in sorted(encoders)})
        self.embeddings = nn.ModuleDict({name: embeddings[name] for name in self.modalities})
        self.imputation = NoImputation() if imputation is None else imputation
        self.fusion = fusion
        self.core = core
        self.targets = nn.ModuleDict({name: targets[name] for name in sorted(targets)})

    def encode(self, name: str, x: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, L, D_e) and mask (B, L) of one modality; `here` (B,) is its presence."""
        x = torch.where(here.view(-1, *[1] * (x.ndim - 1)), x, torch.zeros_like(x))
        return self.encoders[self.encoder_of[name]](x)

    def embed(
        self,
        inputs: Mapping[str, Tensor],
        presence: Tensor,
        features: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What is known: normalised tokens (B, M, K, D), zeros where absent, and their mask (B, M, K)."""
        columns = []
        for column, name in enumerate(self.modalities):
            if features is not None and name in features:
                tokens, mask = features[name]
            else:
                tokens, mask = self.encode(name, inputs[name], presence[:, column])
            columns.append(self.embeddings[name](tokens, mask))
        stacked = torch.stack(columns, 1)
        mask = presence.unsqueeze(-1).expand(stacked.shape[:3])
        return stacked.masked_fill(~mask.unsqueeze(-1), 0.0), mask

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        presence: Tensor,
        features: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    ) -> dict[str, Tensor]:
        return self.decide(*self.embed(inputs, presence, features))

    def decide(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Imputation, fusion, core, heads: normalised tokens (B, M, K, D), zeros where absent, mask → outputs.

        With fewer modalities in the mask than `embed` gave, and zeros in their place, it is what the model would say
        had these been absent: one encoding serves every presence pattern.
        """
        fused = self.fusion(*self.imputation(tokens, mask))
        samples, branches = fused.weight.shape
        mixing = self.fusion.mixing
        representation = self.core(fused.tokens.flatten(0, 1), fused.mask.flatten(0, 1))
        outputs = {}
        for name, target in self.targets.items():
            output = target(representation).unflatten(0, (samples, branches))
            # a mean or product of one is that one; one opinion alone is still an opinion
            alone = branches == 1 and mixing != "evidence"
            outputs[name] = output.squeeze(1) if alone else target.decide(output, fused.weight, mixing)  # type: ignore[operator]
        return outputs
