"""What a trained model is worth under every presence pattern, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass
class Scores:
    """One target's test results by pattern: patterns bool (P, M), samples (P,), metrics {name: (P,)}."""

    modalities: tuple[str, ...]
    main: str
    better: str
    patterns: np.ndarray
    samples: np.ndarray
    metrics: dict[str, np.ndarray]
    curve: pd.DataFrame | None = None  # columns rate, value, sd; None where a pattern has no known truth
    worth: np.ndarray | None = None  # of each sample's prediction by pattern, (P, N), NaN where there is none
    worth_of_nothing: np.ndarray | None = None  # of the best prediction that looks at no input, (N,)
    worth_is: str = ""
    predictions: np.ndarray | None = None  # (P, N, …), NaN where a sample has nothing left; of few kinds of target
    truth: np.ndarray | None = None  # (N, …), beside them

    @property
    def full(self) -> float:
        """The main metric with nothing taken away."""
        return float(self.metrics[self.main][self.patterns.all(1)][0])

    @property
    def drop(self) -> dict[str, float]:
        """By how much the main metric gets worse when one modality is taken away; below 0: it gets better."""
        sign = 1.0 if self.better == "max" else -1.0
        values = self.metrics[self.main]
        alone = self.patterns.sum(1) == len(self.modalities) - 1
        return {
            name: sign * (self.full - float(values[alone & ~self.patterns[:, column]][0]))
            for column, name in enumerate(self.modalities)
        }

    @property
    def area(self) -> float | None:
        """Area under the curve of the main metric over the rate of absence, divided by the range of rates."""
        if self.curve is None:
            return None
        rate = self.curve["rate"].to_numpy()
        return float(np.trapezoid(self.curve["value"], rate) / (rate[-1] - rate[0]))

    def table(self) -> pd.DataFrame:
        """One row a pattern: a column of 0 and 1 per modality, the samples, the metrics."""
        present = {name: self.patterns[:, column].astype(int) for column, name in enumerate(self.modalities)}
        return pd.DataFrame({**present, "samples": self.samples, **self.metrics})
