"""Outputs of frozen encoders, computed once instead of once an epoch, and kept on disk for all runs that need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from crossfade.cache.keys import feature_key
from crossfade.cache.store import Store
from crossfade.data.module import DataModule
from crossfade.data.synthetic.cache import cache_folder
from crossfade.encoders.base import Encoder
from crossfade.layers.embedding import Embedding
from crossfade.layers.masking import masked_mean
from crossfade.model import FusionModel

CHUNK = 64  # samples encoded at once: always as many, so that features do not depend on a run's batch size

Features = tuple[Tensor, Tensor]  # tokens (N, L, D_e), mask (N, L)


def compute_features(model: FusionModel, data: DataModule, device: torch.device | None = None) -> None:
    """Let `data` serve the outputs of frozen encoders, and standardise them by the training samples.

    They are computed for the samples of all splits at once, on `device`, or taken from the cache: what is there does
    not depend on the split, so seeds and folds share it. With one token per modality (K = 1) the mean over the
    encoder's tokens is kept, since it is all that is used.
    """
    train, samples = data.split["train"], data.samples
    for column, name in enumerate(model.modalities):
        if (encoder := _frozen(model, name)) is None:
            continue
        found = _known(model, data, name, encoder, device or torch.device("cpu"), compute=True)
        assert found is not None
        samples.features[name] = tokens, mask = found
        there = mask[train] & samples.present[train, column, None]
        _embedding(model, name).standardise(tokens[train][there])


@contextmanager
def known_features(model: FusionModel, data: DataModule, device: torch.device | None = None) -> Iterator[None]:
    """Let `data` serve, for a while, those outputs of frozen encoders that are known: of this process, or cached.

    Nothing is computed for it: what scores a split once may as well encode it once.
    """
    before = dict(data.samples.features)
    try:
        for name in model.modalities:
            encoder = _frozen(model, name)
            if encoder is not None and (
                found := _known(model, data, name, encoder, device or torch.device("cpu"), compute=False)
            ):
                data.samples.features[name] = found
        yield
    finally:
        data.samples.features = before


def _frozen(model: FusionModel, name: str) -> Encoder | None:
    encoder = model.encoders[model.encoder_of[name]]
    assert isinstance(encoder, Encoder)
    return encoder if encoder.frozen and not any(p.requires_grad for p in encoder.parameters()) else None


def _embedding(model: FusionModel, name: str) -> Embedding:
    embedding = model.embeddings[name]
    assert isinstance(embedding, Embedding)
    return embedding


def _known(
    model: FusionModel, data: DataModule, name: str, encoder: Encoder, device: torch.device, compute: bool
) -> Features | None:
    """A modality's features: the last ones where they are the same, else from the store, else computed if asked."""
    samples, pooled = data.samples, _embedding(model, name).tokens == 1
    if not compute and data.cache_gb is None and name not in samples.known:
        return None  # the key alone costs a hash of all weights
    rows = np.unique(np.concatenate(list(data.split.values())))
    key = feature_key(encoder, samples, name, rows, pooled, device.type)
    if (last := samples.known.get(name)) is not None and last[0] == key:
        return last[1]
    store = None if data.cache_gb is None else Store(cache_folder() / "features", data.cache_gb)

    def make() -> dict[str, np.ndarray]:
        tokens, mask = encoded(model, data, name, rows, pooled, device)
        return {"tokens": tokens.numpy(), "mask": mask.numpy()}

    if store is None:
        arrays = make() if compute else None
    elif compute:
        arrays = store.fetch(key, _about(data, name, encoder, len(rows)), make)
    else:
        arrays = store.load(key)
    if arrays is None:
        return None
    found = torch.from_numpy(arrays["tokens"]), torch.from_numpy(arrays["mask"])
    samples.known[name] = key, found
    return found


@torch.no_grad()
def encoded(
    model: FusionModel, data: DataModule, name: str, rows: np.ndarray, pooled: bool, device: torch.device
) -> Features:
    """The tokens that a modality's encoder makes of the samples `rows`, zeros for the others; `pooled`: their mean.

    Protocols of absence play no part: what a sample has is encoded, and what is hidden in it is masked when served.
    """
    tokens_of: Tensor | None = None
    mask_of: Tensor | None = None
    encoder = model.encoders[model.encoder_of[name]]
    before = next(model.parameters()).device
    encoder.to(device)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        values, here = data.samples.values(name, part.tolist())
        tokens, mask = model.encode(name, values.to(device), here.to(device))
        if pooled:
            tokens, mask = masked_mean(tokens, mask).unsqueeze(1), torch.ones_like(mask[:, :1])
        if tokens_of is None or mask_of is None:
            tokens_of = torch.zeros((len(data.samples), *tokens.shape[1:]))
            mask_of = torch.zeros((len(data.samples), *mask.shape[1:]), dtype=torch.bool)
        tokens_of[part], mask_of[part] = tokens.float().cpu(), mask.cpu()
    encoder.to(before)
    assert tokens_of is not None
    assert mask_of is not None
    return tokens_of, mask_of


def _about(data: DataModule, name: str, encoder: Encoder, samples: int) -> dict[str, str]:
    """What `crossfade cache ls` says of an entry."""
    source = data.source
    return {
        "what": name,
        "encoder": " ".join(filter(None, [type(encoder).__name__, str(encoder.part.get("model") or "")])),
        "data": str(getattr(source, "name", type(source).__name__)),
        "samples": str(samples),
    }
