"""Quick classifiers on frozen features, judged on samples that they have not seen.

    log p(y | x_1, …, x_M) = Σ_m f_m(x_m) + g(x_1, …, x_M) − log Z

Multinomial logistic regression with a ridge. f_m is linear in the modality's leading principal components and in
Nyström features of a Gaussian kernel k_m (Williams & Seeger 2001, NIPS 13, eq. 8); g is in those of

    ∏_m (1 + k_m) − 1 − Σ_m k_m,   k_m here half linear, half Gaussian,

the products of an ANOVA kernel (Stitson et al. 1999): all that more than one modality has a part in. Without g the
modalities' log odds add, as in a linear head on a sum or on a concatenation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

FOLDS = 4
COMPONENTS = 24  # of a modality
LANDMARKS, PRODUCTS = 48, 120  # of the kernels k_m, and of their products
ALONE = (1e-2, 1e-3, 1e-4)  # ridges of f, beside none of it
TOGETHER = (1e-3, 1e-4)  # ridges of g, beside none of it
ITERATIONS = 60


@dataclass(frozen=True)
class View:
    """A modality as the probes take it: z (N, d), white, 0 where absent; a column that says so where some are."""

    z: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, present: np.ndarray) -> View:
        """The leading principal components of features (N, D), present (N,) bool; what hardly varies is left out."""
        x = np.asarray(features, dtype=np.float64)[present]
        mean, sd = x.mean(0), x.std(0)
        x = (x - mean) / np.where(sd > 1e-6, sd, np.inf)
        _, size, axes = np.linalg.svd(x, full_matrices=False)
        kept = size[:COMPONENTS] > 1e-3 * max(float(size[0]), 1e-12)
        z = np.zeros((len(present), int(kept.sum()) + 1))
        z[present, :-1] = x @ axes[:COMPONENTS][kept].T / size[:COMPONENTS][kept] * np.sqrt(len(x))
        z[:, -1] = ~present
        return cls(z if not present.all() else z[:, :-1])

    @property
    def linear(self) -> np.ndarray:
        return self.z / np.sqrt(max(1, self.z.shape[1]))

    def gaussian(self, landmarks: np.ndarray) -> np.ndarray:
        """exp(−‖z − z'‖²/2d) with the landmarks' rows, (N, L)."""
        x, y = self.linear, self.linear[landmarks]
        squared = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
        return np.exp(-0.5 * np.maximum(squared, 0.0))

    def kernel(self, landmarks: np.ndarray) -> np.ndarray:
        return 0.5 * (self.linear @ self.linear[landmarks].T + self.gaussian(landmarks))


def own_features(view: View, rng: np.random.Generator) -> np.ndarray:
    """What f_m is linear in: (N, P)."""
    landmarks = _drawn(len(view.z), LANDMARKS, rng)
    return np.hstack([_scaled(view.linear), _nystroem(view.gaussian(landmarks), landmarks)])


def joint_features(views: Sequence[View], rng: np.random.Generator) -> np.ndarray:
    """What g is linear in: (N, P)."""
    landmarks = _drawn(len(views[0].z), PRODUCTS, rng)
    kernels = [view.kernel(landmarks) for view in views]
    return _nystroem(np.prod([1 + k for k in kernels], axis=0) - 1 - np.sum(kernels, axis=0), landmarks)


def folds_of(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for each sample, whole groups at a time: (N,)."""
    _, group = np.unique(groups, return_inverse=True)
    many = int(group.max()) + 1
    return (rng.permutation(many) % FOLDS)[group]


@dataclass(frozen=True)
class HeldOut:
    """log p of each class for samples that the classifier has not seen, (N, C): without g, and with it."""

    adding: np.ndarray
    mixing: np.ndarray


def held_out(
    own: Sequence[np.ndarray], joint: np.ndarray | None, truth: np.ndarray, classes: int, fold: np.ndarray
) -> HeldOut:
    """Cross-fitted log probabilities; `fold` −1 marks samples that are always learned from and never judged (NaN).

    The ridge of a fold, or that there is no f or no g at all, is what does best on the other folds: so neither
    features that say nothing nor products that add nothing count as information.
    """
    x = np.hstack(own)
    folds = np.unique(fold[fold >= 0])
    prior = np.stack([_prior(truth[fold != k], classes) for k in folds])
    nothing = np.full((len(truth), classes), np.nan)
    for k, p in zip(folds, prior, strict=True):
        nothing[fold == k] = np.log(p)
    candidates, weights = [nothing], {}
    for k in folds:
        weights[k] = None
    for ridge in ALONE:
        out = np.full_like(nothing, np.nan)
        for k in folds:
            learn, judge = fold != k, fold == k
            weights[k] = _fitted(x[learn], truth[learn], classes, np.full(x.shape[1], ridge), weights[k])
            out[judge] = _log_probability(x[judge], weights[k])
        candidates.append(out)
    adding, chosen = _best_elsewhere(candidates, truth, fold)
    if joint is None:
        return HeldOut(adding, adding)
    both = np.hstack([x, joint])
    candidates = [adding]
    start: dict[int, np.ndarray | None] = dict.fromkeys(folds)
    for ridge in TOGETHER:
        out = np.full_like(nothing, np.nan)
        for k in folds:
            learn, judge = fold != k, fold == k
            own_ridge = ALONE[max(0, chosen[k] - 1)]
            each = np.r_[np.full(x.shape[1], own_ridge), np.full(joint.shape[1], ridge)]
            start[k] = _fitted(both[learn], truth[learn], classes, each, start[k])
            out[judge] = _log_probability(both[judge], start[k])
        candidates.append(out)
    mixing, _ = _best_elsewhere(candidates, truth, fold)
    return HeldOut(adding, mixing)


def _drawn(many: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(many, size=min(many, wanted), replace=False)


def _nystroem(kernel: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """K_NL·K_LL^(−1/2), of mean square norm 1."""
    value, vector = np.linalg.eigh(kernel[landmarks])
    kept = value > 1e-6 * max(float(value[-1]), 1e-12)
    return _scaled(kernel @ (vector[:, kept] / np.sqrt(value[kept])))


def _scaled(x: np.ndarray) -> np.ndarray:
    """Columns without their means, rows of mean square norm 1."""
    x = x - x.mean(0)
    return x / max(float(np.sqrt((x**2).sum(1).mean())), 1e-12)


def _prior(truth: np.ndarray, classes: int) -> np.ndarray:
    count = np.bincount(truth, minlength=classes) + 0.5
    return count / count.sum()


def _fitted(
    x: np.ndarray, truth: np.ndarray, classes: int, ridge: np.ndarray, start: np.ndarray | None
) -> np.ndarray:
    """Weights (P + 1, C), the last row the offsets, of least mean −log p + Σ ridge·w²."""
    hot = np.eye(classes)[truth]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(-1, classes)
        score = x @ w[:-1] + w[-1]
        log_p = log_softmax(score, axis=1)
        error = (np.exp(log_p) - hot) / len(x)
        penalty = ridge[:, None] * w[:-1]
        gradient = np.vstack([x.T @ error + 2 * penalty, error.sum(0)])
        return -float((hot * log_p).sum()) / len(x) + float((penalty * w[:-1]).sum()), gradient.ravel()

    first = np.zeros((x.shape[1] + 1, classes)) if start is None else start
    found = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return found.x.reshape(-1, classes)


def _log_probability(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return log_softmax(x @ w[:-1] + w[-1], axis=1)


def _best_elsewhere(
    candidates: Sequence[np.ndarray], truth: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, dict[int, int]]:
    """Of each fold the candidate with the highest likelihood on the other folds; and which that was."""
    likelihood = np.stack([c[np.arange(len(truth)), truth] for c in candidates])
    out, chosen = np.full_like(candidates[0], np.nan), {}
    for k in np.unique(fold[fold >= 0]):
        others = (fold >= 0) & (fold != k)
        chosen[k] = int(likelihood[:, others].mean(1).argmax())
        out[fold == k] = candidates[chosen[k]][fold == k]
    return out, chosen


def probability(log_p: np.ndarray) -> np.ndarray:
    return softmax(log_p, axis=1)
