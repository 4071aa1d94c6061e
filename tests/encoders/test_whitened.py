"""The whitened table: its covariance and tokens against NumPy, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crossfade.data.transforms import make_transform
from crossfade.encoders.whitened import WhitenedTable
from crossfade.specs import ModalitySpec

NAN = float("nan")
SPEC = ModalitySpec(name="t", kind="table", column=["low", "word", "mean"], categorical=["word"])


def rows(number: int = 400) -> list[dict[str, object]]:
    """`low` is `mean` but for a hundredth of its spread; `word` is one of two."""
    rng = np.random.default_rng(0)
    mean = 20 + 5 * rng.standard_normal(number)
    low = mean - 0.05 * rng.standard_normal(number)
    return [{"low": a, "word": "ab"[i % 2], "mean": b} for i, (a, b) in enumerate(zip(low, mean, strict=True))]


def fitted(samples: list[dict[str, object]], ridge: float = 1e-6):
    transform = make_transform(SPEC, {"ridge": ridge})
    transform.fit(samples)
    return transform


def test_the_covariance_is_numpys_of_the_standardised_numbers() -> None:
    samples = [*rows(), {"low": None, "word": None, "mean": 21.0}]
    made = fitted(samples)
    x = made.finish(samples).numpy()[:, [0, 2]].astype(np.float64)
    np.testing.assert_allclose(made.fitted["covariance"], np.cov(np.nan_to_num(x).T, bias=True), atol=1e-9)
    assert "covariance" not in _without_ridge(samples)


def _without_ridge(samples: list[dict[str, object]]) -> dict[str, object]:
    plain = make_transform(SPEC, {})
    plain.fit(samples)
    return plain.fitted


def test_what_the_tokens_are_made_of_is_uncorrelated_with_unit_variance() -> None:
    samples = rows()
    made = fitted(samples)
    encoder = WhitenedTable(SPEC, made.fitted, hidden=2, ridge=1e-6, pool="none").eval()
    with torch.no_grad():
        encoder.weight.fill_(1.0)
        encoder.bias.zero_()
        z = encoder(made.finish(samples))[0][:, [0, 2], 0].double()
    torch.testing.assert_close(torch.cov(z.T, correction=0), torch.eye(2, dtype=torch.float64), atol=0.02, rtol=0)


def test_tokens_by_hand_with_missing_entries_and_an_outlier() -> None:
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    encoder = WhitenedTable(SPEC, {"cardinality": [0, 2, 0], "covariance": covariance.tolist()}, 4, 0.5, pool="none")
    value, vector = np.linalg.eigh(covariance)
    root = vector @ np.diag((value + 0.5) ** -0.5) @ vector.T
    w, b, e, gone = encoder.weight, encoder.bias, encoder.embedding.weight, encoder.missing
    for x, absent in (
        ((1.5, 1.0, -0.5), (False,) * 3),
        ((NAN, NAN, 2.0), (True, True, False)),
        ((99.0, 0.0, -99.0), (False,) * 3),
    ):
        z = (root @ np.nan_to_num([x[0], x[2]])).clip(-10, 10)
        word = gone[1] if absent[1] else e[int(x[1])]
        expected = [z[0] * w[0] + b[0] + absent[0] * gone[0], word, z[1] * w[1] + b[1]]
        tokens, mask = encoder(torch.tensor([x]))
        torch.testing.assert_close(tokens[0], torch.stack([t.float() for t in expected]), atol=1e-5, rtol=1e-5)
        assert mask.all()


@pytest.mark.parametrize(("cardinality", "covariance"), [([0, 0, 0], np.eye(3).tolist()), ([2, 3, 2], [])])
def test_numbers_or_categories_alone(cardinality: list[int], covariance: list[list[float]]) -> None:
    encoder = WhitenedTable(SPEC, {"cardinality": cardinality, "covariance": covariance}, hidden=4)
    out, _ = encoder(torch.tensor([[1.0, 0.0, 1.0], [NAN, NAN, NAN]]))
    assert out.shape == (2, 1, 4)
    assert out.isfinite().all()


def test_mixed_precision_gives_tokens_of_the_same_values() -> None:
    samples = rows()
    made = fitted(samples)
    encoder = WhitenedTable(SPEC, made.fitted, hidden=4, ridge=0.1)
    x = made.finish(samples)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = encoder(x)
    torch.testing.assert_close(mixed, encoder(x)[0], atol=0.05, rtol=0)


def test_a_small_difference_of_two_columns_is_learned_quickly() -> None:
    """Which of two nearly equal columns is larger: a few steps do on z, and a plain token map is still at chance."""
    samples = rows()
    made = fitted(samples)
    x = made.finish(samples)
    truth = torch.tensor([float(r["low"] > r["mean"]) for r in samples])  # type: ignore[operator]

    def accuracy(covariance: list[list[float]]) -> float:
        torch.manual_seed(0)
        encoder = WhitenedTable(SPEC, made.fitted | {"covariance": covariance}, hidden=4, ridge=1e-6)
        head = torch.nn.Linear(4, 1)
        optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(head(encoder(x)[0][:, 0])[:, 0], truth).backward()
            optimizer.step()
        return float(((head(encoder(x)[0][:, 0])[:, 0] > 0) == truth.bool()).float().mean())

    assert accuracy(made.fitted["covariance"]) > 0.95
    assert accuracy(np.eye(2).tolist()) < 0.7
