"""Outputs of frozen encoders, computed once instead of once an epoch, and kept on disk for all runs that need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from crossfade.cache.arrays import Arrays
from crossfade.cache.keys import feature_key
from crossfade.cache.store import Store
from crossfade.data.module import DataModule
from crossfade.data.synthetic.cache import cache_folder
from crossfade.encoders.base import Encoder
from crossfade.layers.embedding import Embedding
from crossfade.layers.masking import masked_mean
from crossfade.model import FusionModel

Features = tuple[Tensor, Tensor]  # tokens (N, L, D_e), mask (N, L)
Part = tuple[np.ndarray, Tensor, Tensor]  # n rows, their tokens (n, L, D_e) and mask (n, L)


def compute_features(model: FusionModel, data: DataModule, device: torch.device | None = None) -> None:
    """Let `data` serve the outputs of frozen encoders, and standardise them by the training samples.

    They are taken from the cache, and computed on `device` for those training and validation samples that it lacks: a
    training reads no others, whose rows are NaN until a split that has them is scored. What is there does not depend
    on the split, so seeds and folds share it. With one token per modality (K = 1) the mean over the encoder's tokens
    is kept, since it is all that is used.
    """
    train, samples = data.split["train"], data.samples
    rows = np.union1d(train, data.split["val"])
    for column, name in enumerate(model.modalities):
        if (encoder := _frozen(model, name)) is None:
            continue
        found = _known(model, data, name, encoder, device or torch.device("cpu"), rows, begin=True)
        assert found is not None
        samples.features[name] = tokens, mask = found
        there = mask[train] & samples.present[train, column, None]
        _embedding(model, name).standardise(tokens[train][there])


@contextmanager
def known_features(
    model: FusionModel, data: DataModule, split: str, device: torch.device | None = None
) -> Iterator[None]:
    """Let `data` serve, for a while, the outputs of frozen encoders for one split, computing what is not known.

    A split is scored more than once: whole, by presence pattern, for figures, one modality at a time. Where nothing
    is kept, neither on disk (`cache_gb`) nor by a training in this process, nothing is computed for it.
    """
    before = dict(data.samples.features)
    try:
        for name in model.modalities:
            encoder = _frozen(model, name)
            if encoder is not None and (
                found := _known(
                    model, data, name, encoder, device or torch.device("cpu"), data.split[split], begin=False
                )
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
    model: FusionModel,
    data: DataModule,
    name: str,
    encoder: Encoder,
    device: torch.device,
    rows: np.ndarray,
    begin: bool,
) -> Features | None:
    """A modality's features, those of the samples `rows` at least: of this process or the store, the rest computed.

    None where neither has, or may have, any, and `begin` does not ask for it.
    """
    samples, pooled = data.samples, _embedding(model, name).tokens == 1
    last, kept = samples.known.get(name), data.cache_gb is not None
    if last is None and not kept and not begin:
        return None  # the key alone costs a hash of all weights
    key = feature_key(encoder, samples, name, pooled, device.type)
    if last is not None and last[0] != key:
        last = None
    if last is None and not kept and not begin:
        return None
    if last is None or not last[1]["rows"][rows].all():

        def fill(found: Arrays | None) -> Arrays:
            found = last[1] if found is None and last is not None else found
            return _filled(found, encoded(model, data, name, _lacking(found, rows), pooled, device), len(samples))

        if data.cache_gb is None:
            arrays = fill(None)
        else:
            store = Store(cache_folder() / "features", data.cache_gb)
            about = _about(data, name, encoder, len(samples))
            arrays = store.fetch(key, about, fill, lambda found: bool(found["rows"][rows].all()))
        samples.known[name] = last = key, arrays
    return torch.from_numpy(last[1]["tokens"]), torch.from_numpy(last[1]["mask"])


def _lacking(found: Arrays | None, rows: np.ndarray) -> np.ndarray:
    return rows if found is None else rows[~found["rows"][rows]]


def _filled(found: Arrays | None, more: Iterable[Part], samples: int) -> Arrays:
    """The arrays with `more` rows: tokens (N, L, D_e), mask (N, L), and which rows they hold, (N,); others are NaN.

    Written into `found`: of a mapped file only the pages of those rows are copied, and the file stays as it is.
    """
    for part, tokens, mask in more:
        if found is None:
            found = {
                "tokens": np.full((samples, *tokens.shape[1:]), np.nan, np.float32),
                "mask": np.zeros((samples, *mask.shape[1:]), np.bool_),
                "rows": np.zeros(samples, np.bool_),
            }
        found["tokens"][part], found["mask"][part] = tokens.numpy(), mask.numpy()
        found["rows"][part] = True  # after its values: what was broken off is not taken for known
    assert found is not None
    return found


@torch.no_grad()
def encoded(
    model: FusionModel, data: DataModule, name: str, rows: np.ndarray, pooled: bool, device: torch.device
) -> Iterator[Part]:
    """The tokens that a modality's encoder makes of the samples `rows`, a chunk at a time; `pooled`: their mean.

    Protocols of absence play no part: what a sample has is encoded, and what is hidden in it is masked when served.
    A chunk has always `encoder.chunk` samples, the last one zeros at its end: the size of a batch decides which kernels
    run, and with them the last bits. What a sample's features are then does not depend on the others encoded with it,
    as far as a kernel treats the places of a batch alike. Nothing relies on that.
    """
    encoder = model.encoders[model.encoder_of[name]]
    assert isinstance(encoder, Encoder)
    before = next(model.parameters()).device
    encoder.to(device)
    for start in range(0, len(rows), encoder.chunk):
        part = rows[start : start + encoder.chunk]
        values, here = (_whole(x, encoder.chunk).to(device) for x in data.samples.values(name, part.tolist()))
        tokens, mask = (x[: len(part)] for x in model.encode(name, values, here))
        if pooled:
            tokens, mask = masked_mean(tokens, mask).unsqueeze(1), torch.ones_like(mask[:, :1])
        yield part, tokens.float().cpu(), mask.cpu()
    encoder.to(before)


def _whole(x: Tensor, size: int) -> Tensor:
    """(n, …) → (size, …), zeros behind."""
    return x if len(x) == size else torch.cat([x, x.new_zeros(size - len(x), *x.shape[1:])])


def _about(data: DataModule, name: str, encoder: Encoder, samples: int) -> dict[str, str]:
    """What `crossfade cache ls` says of an entry."""
    source = data.source
    return {
        "what": name,
        "encoder": " ".join(filter(None, [type(encoder).__name__, str(encoder.part.get("model") or "")])),
        "data": str(getattr(source, "name", type(source).__name__)),
        "samples": str(samples),
    }
