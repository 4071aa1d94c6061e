"""What an encoder's outputs depend on, as a hash: equal keys mean equal features, to the last bit."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import weakref
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crossfade.data.samples import Samples
from crossfade.encoders.base import Encoder

FORMAT = 2  # raised when what `features.encoded` makes of an encoder's outputs changes
LIBRARIES = ("torch", "timm", "transformers")
ELSEWHERE = ("layers/masking.py", "layers/blocks.py")  # what encoders use besides each other's files


def feature_key(encoder: Encoder, samples: Samples, name: str, pooled: bool, device: str) -> str:
    """Of the tokens (N, L, D_e) that `encoder` makes of a modality's samples: 40 hexadecimal digits.

    Hash of the encoder (class, fields, weights and their types, the code of the package's encoders, the versions of
    the libraries), of what it is given, and of how it is computed; which of the samples are encoded plays no part.
    What is given is the very tensor that the transform made, where that is kept in memory: no source can forget to
    name what it depends on. Else it is the source's fingerprint, with the transform and all that it learned.
    """
    parts = (
        FORMAT,
        encoder_key(encoder),
        input_key(samples, name),
        pooled,
        device,
        torch.get_float32_matmul_precision(),
    )
    return hashlib.sha256(json.dumps([*parts, code()], default=str).encode()).hexdigest()[:40]


def encoder_key(encoder: Encoder) -> str:
    """Hash of an encoder: its class, its fields, what it knows of the data, its parameters and buffers."""
    spec = encoder.spec.model_dump(mode="json", exclude={"name", "column", "unit", "encoder"})
    described = [type(encoder).__qualname__, encoder.part, spec, encoder.fitted]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode())
    digest.update(_hash_of_weights(encoder))
    return digest.hexdigest()


def input_key(samples: Samples, name: str) -> str:
    """Hash of what a modality's encoder is given: the values, which samples have them, and the samples' IDs."""
    column = list(samples.transforms).index(name)
    digest = hashlib.sha256("\n".join(map(str, samples.frame.ids)).encode())
    digest.update(bytes_of(samples.read[:, column]))
    if name in samples.kept:
        digest.update(_hash_of(samples.kept[name]))
    else:
        transform = samples.transforms[name]
        how = [type(transform).__qualname__, transform.spec.model_dump(mode="json"), transform.fitted]
        digest.update(json.dumps([samples.source.fingerprint(), *how], sort_keys=True, default=str).encode())
    return digest.hexdigest()


def bytes_of(tensor: Tensor) -> Any:
    """A tensor's values as bytes, whatever its type and layout."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


# weights and values are hashed once, as long as nobody writes to them: torch counts the writes
_weights: weakref.WeakKeyDictionary[Encoder, tuple[tuple[tuple[int, int], ...], bytes]] = weakref.WeakKeyDictionary()
_values: dict[int, tuple[weakref.ref[Tensor], int, bytes]] = {}


def _hash_of_weights(encoder: Encoder) -> bytes:
    tensors = [*encoder.named_parameters(), *encoder.named_buffers()]
    state = tuple((tensor.data_ptr(), tensor._version) for _, tensor in tensors)
    if (known := _weights.get(encoder)) is not None and known[0] == state:
        return known[1]
    digest = hashlib.sha256()
    for path, tensor in tensors:
        digest.update(json.dumps([path, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(bytes_of(tensor))
    _weights[encoder] = state, digest.digest()
    return digest.digest()


def _hash_of(values: Tensor) -> bytes:
    known = _values.get(id(values))
    if known is not None and known[0]() is values and known[1] == values._version:
        return known[2]
    described = json.dumps([str(values.dtype), list(values.shape)]).encode()
    digest = hashlib.sha256(described)
    digest.update(bytes_of(values))
    place = id(values)
    _values[place] = (weakref.ref(values, lambda _: _values.pop(place, None)), values._version, digest.digest())
    return _values[place][2]


@functools.cache
def code() -> str:
    """Hash of the files that encoders are written in, and of their libraries' versions: features age with them."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in [*sorted((package / "encoders").glob("*.py")), *(package / name for name in ELSEWHERE)]:
        digest.update(file.read_bytes())
    digest.update(json.dumps([importlib.metadata.version(name) for name in LIBRARIES]).encode())
    return digest.hexdigest()
