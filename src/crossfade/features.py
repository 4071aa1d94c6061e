"""Outputs of frozen encoders, computed once instead of once an epoch."""

from __future__ import annotations

import numpy as np
import torch

from crossfade.data.samples import Samples
from crossfade.embedding import Embedding
from crossfade.masking import masked_mean
from crossfade.model import FusionModel


def compute_features(
    model: FusionModel, samples: Samples, train: np.ndarray, others: np.ndarray, batch_size: int
) -> None:
    """Fill `samples.features` for the modalities whose encoder is frozen, and standardise them by the training rows.

    With one token per modality (K = 1) the mean over the encoder's tokens is kept, since it is all that is used.
    """
    device = next(model.parameters()).device
    rows = np.concatenate([train, others])
    for column, name in enumerate(model.modalities):
        encoder = model.encoders[model.encoder_of[name]]
        if not encoder.frozen or any(p.requires_grad for p in encoder.parameters()):
            continue
        embedding = model.embeddings[name]
        assert isinstance(embedding, Embedding)
        pooled = embedding.tokens == 1
        tokens_of: torch.Tensor | None = None
        mask_of: torch.Tensor | None = None
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size].tolist()
            batch = samples[part]
            with torch.no_grad():
                tokens, mask = model.encode(name, batch.inputs[name].to(device), batch.presence[:, column].to(device))
            if pooled:
                tokens, mask = masked_mean(tokens, mask).unsqueeze(1), torch.ones_like(mask[:, :1])
            if tokens_of is None or mask_of is None:
                tokens_of = torch.zeros((len(samples), *tokens.shape[1:]))
                mask_of = torch.zeros((len(samples), *mask.shape[1:]), dtype=torch.bool)
            tokens_of[part], mask_of[part] = tokens.float().cpu(), mask.cpu()
        assert tokens_of is not None
        assert mask_of is not None
        samples.features[name] = (tokens_of, mask_of)
        there = mask_of[train] & samples.present[train, column, None]
        embedding.standardise(tokens_of[train][there])
