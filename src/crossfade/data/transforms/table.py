"""Tables → (n, F) floats, NaN = missing entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossfade.data.transforms.base import Transform


class TableTransform(Transform):
    """Numbers standardised, categories numbered, by the training split; a category unseen there counts as missing.

    A number's z-score is cut off at ±10: one typing error in a file should not drown a sample. For an encoder with a
    field `ridge` the numbers' covariance is kept too.
    """

    def _columns(self) -> list[str]:
        column = self.spec.column
        assert column is not None  # the config's check sees to it
        return [column] if isinstance(column, str) else list(column)

    def fit(self, prepared: Sequence[Any]) -> None:
        columns: list[dict[str, Any]] = []
        for name in self._columns():
            known = [row[name] for row in prepared if not missing(row.get(name))]
            if name in self.spec.categorical:
                columns.append({"name": name, "categories": sorted({str(v) for v in known}) or [""]})
            else:
                values = np.array(known or [0.0], dtype=np.float64)
                columns.append({"name": name, "mean": float(values.mean()), "sd": float(values.std()) or 1.0})
        self.fitted = {"columns": columns, "cardinality": [len(c.get("categories", ())) for c in columns]}
        if "ridge" in self.encoder:
            self.fitted["covariance"] = self._covariance(prepared)

    def _covariance(self, prepared: Sequence[Any]) -> list[list[float]]:
        """Of the standardised numbers, a missing entry at its mean, 0: (F, F)."""
        numbers = [f for f, cardinality in enumerate(self.fitted["cardinality"]) if cardinality == 0]
        x = np.nan_to_num(self.finish(prepared).numpy()[:, numbers].astype(np.float64))
        rows = max(1, len(x))
        x -= x.sum(0) / rows
        return (x.T @ x / rows).tolist()

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        table = np.full((len(prepared), len(self.fitted["columns"])), np.nan, dtype=np.float32)
        for f, column in enumerate(self.fitted["columns"]):
            name = column["name"]
            if "categories" in column:
                number = {c: i for i, c in enumerate(column["categories"])}
                code = [
                    np.nan if r is None or missing(r.get(name)) else number.get(str(r[name]), np.nan) for r in prepared
                ]
                table[:, f] = code
            else:
                value = [np.nan if r is None or missing(r.get(name)) else float(r[name]) for r in prepared]
                table[:, f] = ((np.array(value) - column["mean"]) / column["sd"]).clip(-10, 10)
        return torch.from_numpy(table)


def missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, or NaN as pandas writes it."""
    return value is None or value != value
