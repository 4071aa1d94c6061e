"""The contract of a transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from crossfade.specs import ModalitySpec


class Transform:
    """Raw value → `prepare` (one sample, nothing learned) → `finish` (a batch of them → one tensor (n, …)).

    `fit` learns from the prepared values of the training split alone; `fitted` is what it learned, as plain data: it
    is kept in the run folder, given to the encoder, and set instead of fitting when a run is reopened.
    """

    def __init__(self, spec: ModalitySpec, encoder: Mapping[str, Any]) -> None:
        self.spec = spec
        self.encoder = encoder
        self.fitted: dict[str, Any] = {}

    def prepare(self, raw: Any) -> Any:
        """One raw value (`specs.ModalitySpec`), brought to a common shape."""
        return raw

    def fit(self, prepared: Sequence[Any]) -> None:
        """Set `fitted` from the training split's present values; called once."""

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        """Prepared values → (n, …), float32 or int64; rows of None (absent) hold a neutral filler."""
        raise NotImplementedError
