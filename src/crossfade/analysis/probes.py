"""Quick classifiers on frozen features, judged on samples that they have not seen.

    log p(y | x_1, …, x_M) = Σ_m f_m(x_m) + g(x_1, …, x_M) − log Z

Multinomial logistic regression with a ridge. f_m is linear in the modality's leading principal components and in
Nyström features of a Gaussian kernel k_m (Williams & Seeger 2001, NIPS 13, eq. 8); g is in those of

    ∏_m (1 + k_m) − 1 − Σ_m k_m,   k_m here half linear, half Gaussian,

the products of an ANOVA kernel (Stitson et al. 1999): all that more than one modality has a part in. They are taken
of white components, and of components as large as they came; what does better on the other folds stands. White, the one
strong direction of a modality is lost among its weak ones, in products of three modalities most of all. Without g the
modalities' log odds add, as in a linear head on a sum or on a concatenation. Beside them stands what late fusion can
do, the mean of each modality's own probabilities.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

FOLDS = 4
COMPONENTS = 24  # of a modality
LANDMARKS, PRODUCTS = 48, 120  # of the kernels k_m, and of their products
ALONE = (1e-2, 1e-3, 1e-4)  # ridges of f, beside none of it
NOTHING = 0.1  # of a modality that says nothing by itself
SCALES = (3.0, 1.0, 0.3)  # of several modalities' ridges
TOGETHER = (1e-3, 1e-4)  # ridges of g, beside none of it
STACKED = ((1e-3, 1e-3), (1e-4, 1e-4))  # of what single modalities say, and of g beside it
ITERATIONS = 60


@dataclass(frozen=True)
class View:
    """A modality as the probes take it: z (N, d), white, 0 where absent; a column that says so where some are.

    sd (d,): how large each component was, of mean square 1; with them z is as the features came.
    """

    z: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, present: np.ndarray) -> View:
        """The leading principal components of features (N, D), present (N,) bool; what hardly varies is left out."""
        x = np.asarray(features, dtype=np.float64)[present]
        mean, sd = x.mean(0), x.std(0)
        x = (x - mean) / np.where(sd > 1e-6, sd, np.inf)
        _, size, axes = np.linalg.svd(x, full_matrices=False)
        kept = size[:COMPONENTS] > 1e-3 * max(float(size[0]), 1e-12)
        size = size[:COMPONENTS][kept]
        z = np.zeros((len(present), len(size) + 1))
        z[present, :-1] = x @ axes[:COMPONENTS][kept].T / size * np.sqrt(len(x))
        z[:, -1] = ~present
        sd = size / max(float(np.sqrt((size**2).mean())), 1e-12) if len(size) else size
        return cls(z, np.r_[sd, 1.0]) if not present.all() else cls(z[:, :-1], sd)

    @property
    def as_it_came(self) -> View:
        return View(self.z * self.sd, np.ones_like(self.sd))

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
    return np.hstack([scaled(view.linear), _nystroem(view.gaussian(landmarks), landmarks)])


def joint_features(views: Sequence[View], rng: np.random.Generator) -> list[np.ndarray]:
    """What g may be linear in, (N, P): products of white components, and of components as they came."""
    landmarks = _drawn(len(views[0].z), PRODUCTS, rng)
    return [_products(views, landmarks), _products([view.as_it_came for view in views], landmarks)]


def _products(views: Sequence[View], landmarks: np.ndarray) -> np.ndarray:
    kernels = [view.kernel(landmarks) for view in views]
    return _nystroem(np.prod([1 + k for k in kernels], axis=0) - 1 - np.sum(kernels, axis=0), landmarks)


def folds_of(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for each sample, whole groups at a time: (N,)."""
    _, group = np.unique(groups, return_inverse=True)
    many = int(group.max()) + 1
    return (rng.permutation(many) % FOLDS)[group]


@dataclass(frozen=True)
class Folds:
    """What is cross-fitted: truth (N,) of C classes, fold (N,), −1 for what is always learned from and never judged."""

    truth: np.ndarray
    fold: np.ndarray
    classes: int

    def __iter__(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Each fold's number, whom it learns from and whom it judges."""
        for k in np.unique(self.fold[self.fold >= 0]).tolist():
            yield k, self.fold != k, self.fold == k

    @property
    def judged(self) -> np.ndarray:
        return self.fold >= 0

    def prior(self) -> np.ndarray:
        """log p(y) of the samples learned from, (N, C)."""
        out = np.full((len(self.truth), self.classes), np.nan)
        for _, learn, judge in self:
            count = np.bincount(self.truth[learn], minlength=self.classes) + 0.5
            out[judge] = np.log(count / count.sum())
        return out

    def fitted(self, model: Model, blocks: Sequence[np.ndarray], ridges: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Log probabilities of the samples judged, (N, C), one array a ridge; each fit begins where the last ended."""
        found = [np.full((len(self.truth), self.classes), np.nan) for _ in ridges]
        hot = np.eye(self.classes, dtype=np.float32)[self.truth]
        blocks = [np.asarray(x, dtype=np.float32) for x in blocks]  # twice as fast
        for _, learn, judge in self:
            seen, unseen = ([x[rows] for x in blocks] for rows in (learn, judge))
            weights = np.zeros((sum(x.shape[1] + 1 for x in blocks), self.classes))
            for out, ridge in zip(found, ridges, strict=True):
                weights = _fitted(model, seen, hot[learn], ridge, weights)
                out[judge] = model(unseen, weights, None)[0]
        return found

    def stacked(self, told: Sequence[np.ndarray], joint: np.ndarray | None = None) -> list[np.ndarray]:
        """The same of classifiers on what others say of samples that they have not seen, so of the judged alone."""
        judged = self.judged
        inside = Folds(self.truth[judged], self.fold[judged], self.classes)
        blocks = [*told, *([] if joint is None else [joint])]
        both = [np.r_[np.full(len(told), r), np.full(len(blocks) - len(told), t)] for r, t in STACKED]
        found = []
        for inner in inside.fitted(_logits_add, [x[judged] for x in blocks], both):
            out = np.full((len(self.truth), self.classes), np.nan)
            out[judged] = inner
            found.append(out)
        return found

    def best(self, candidates: Sequence[np.ndarray]) -> np.ndarray:
        """Of each fold the candidate with the highest likelihood on the other folds: (N, C)."""
        likelihood = np.stack([c[np.arange(len(self.truth)), self.truth] for c in candidates])
        out = np.full_like(candidates[0], np.nan)
        for k, _, judge in self:
            out[judge] = candidates[int(likelihood[:, self.judged & (self.fold != k)].mean(1).argmax())][judge]
        return out


@dataclass(frozen=True)
class Own:
    """A modality by itself.

    features  (N, P), what f_m is linear in          log_p  (N, C), of samples not seen
    ridge     that does best for it alone            told   (N, Q), log_p and its cells, what is stacked
    """

    features: np.ndarray
    ridge: float
    log_p: np.ndarray
    told: np.ndarray


def alone(folds: Folds, features: np.ndarray, rng: np.random.Generator) -> Own:
    """One modality's classifier, calibrated by a second one on its held-out log p and their cells.

    The ridge of a fold, or that there is no f at all, is what does best on the other folds: features that say nothing
    do not count as information.
    """
    candidates = folds.fitted(_logits_add, [features], [np.array([r]) for r in ALONE])
    judged = folds.judged
    each = [c[judged, folds.truth[judged]].mean() for c in (folds.prior(), *candidates)]
    ridge = (NOTHING, *ALONE)[int(np.argmax(each))]
    first = folds.best([folds.prior(), *candidates])
    cell = cells_of(np.exp(first[judged]), rng)
    told = np.zeros((len(first), first.shape[1] + int(cell.max()) + 1))
    told[judged] = np.hstack([first[judged], np.eye(int(cell.max()) + 1)[cell]])
    told[judged] = scaled(told[judged])
    return Own(features, ridge, folds.best([folds.prior(), first, *folds.stacked([told])]), told)


def adding(folds: Folds, own: Sequence[Own]) -> np.ndarray:
    """log p of samples not seen, (N, C), of logits Σ_m f_m(x_m); each ridge in proportion to the modality's own."""
    ridges = [scale * np.array([one.ridge for one in own]) for scale in SCALES]
    fitted = folds.fitted(_logits_add, [one.features for one in own], ridges)
    stacked = folds.stacked([one.told for one in own])
    return folds.best([folds.prior(), *(one.log_p for one in own), *fitted, *stacked])


def averaging(folds: Folds, own: Sequence[Own]) -> np.ndarray:
    """log p of samples not seen, (N, C), of p = Σ_m softmax(f_m(x_m)) / M, learned as a whole."""
    ridges = [scale * np.array([one.ridge for one in own]) for scale in SCALES]
    return folds.best([folds.prior(), *folds.fitted(_decisions_average, [one.features for one in own], ridges)])


def mixing(folds: Folds, own: Sequence[Own], joints: Sequence[np.ndarray], without: np.ndarray) -> np.ndarray:
    """log p of samples not seen, (N, C), of logits Σ_m f_m(x_m) + g(x_1, …, x_M), g linear in one of `joints`.

    `without` are those of `adding`: they stand where g does not help on the other folds.
    """
    ridges = [np.array([*(one.ridge for one in own), together]) for together in TOGETHER]
    candidates = [without]
    for joint in joints:
        candidates += folds.fitted(_logits_add, [*(one.features for one in own), joint], ridges)
        candidates += folds.stacked([one.told for one in own], joint)
    return folds.best(candidates)


Model = Callable[
    [Sequence[np.ndarray], np.ndarray, "np.ndarray | None"], tuple[np.ndarray, "Sequence[np.ndarray] | None"]
]  # blocks, weights, truth as 0/1 → log p, and with a truth the gradient of −Σ log p(truth) to each block's scores


def _logits_add(
    blocks: Sequence[np.ndarray], weights: np.ndarray, hot: np.ndarray | None
) -> tuple[np.ndarray, Sequence[np.ndarray] | None]:
    log_p = log_softmax(sum(_scores(blocks, weights)), axis=1)
    return log_p, None if hot is None else [np.exp(log_p) - hot] * len(blocks)


def _decisions_average(
    blocks: Sequence[np.ndarray], weights: np.ndarray, hot: np.ndarray | None
) -> tuple[np.ndarray, Sequence[np.ndarray] | None]:
    each = np.stack([log_softmax(score, axis=1) for score in _scores(blocks, weights)])
    log_p = logsumexp(each, axis=0) - np.log(len(blocks))
    if hot is None:
        return log_p, None
    # whose share in the truth's probability is how large
    share = softmax((each * hot).sum(2), axis=0)
    return log_p, list(share[:, :, None] * (np.exp(each) - hot))


def _scores(blocks: Sequence[np.ndarray], weights: np.ndarray) -> Iterator[np.ndarray]:
    """W_b·x + c_b of each block, whose rows stand one after another in the weights."""
    start = 0
    for x in blocks:
        yield x @ weights[start : start + x.shape[1]] + weights[start + x.shape[1]]
        start += x.shape[1] + 1


def _fitted(
    model: Model, blocks: Sequence[np.ndarray], hot: np.ndarray, ridges: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Weights of least mean −log p + Σ_b ridge_b·‖W_b‖²."""
    ridge = np.concatenate([np.r_[np.full(x.shape[1], r), 0.0] for x, r in zip(blocks, ridges, strict=True)])
    ridge = ridge[:, None].astype(np.float32)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(start.shape).astype(np.float32)
        log_p, errors = model(blocks, w, hot)
        assert errors is not None
        parts = [np.vstack([x.T @ e, e.sum(0)]) for x, e in zip(blocks, errors, strict=True)]
        gradient = np.vstack(parts) / len(hot) + 2 * ridge * w
        return float((ridge * w**2).sum() - (hot * log_p).sum() / len(hot)), gradient.ravel().astype(np.float64)

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return found.x.reshape(start.shape)


def _drawn(many: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(many, size=min(many, wanted), replace=False)


def _nystroem(kernel: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """K_NL·K_LL^(−1/2), of mean square norm 1."""
    value, vector = np.linalg.eigh(kernel[landmarks])
    kept = value > 1e-6 * max(float(value[-1]), 1e-12)
    return scaled(kernel @ (vector[:, kept] / np.sqrt(value[kept])))


def scaled(x: np.ndarray) -> np.ndarray:
    """Columns without their means, rows of mean square norm 1."""
    x = x - x.mean(0)
    return x / max(float(np.sqrt((x**2).sum(1).mean())), 1e-12)


def cells_of(posterior: np.ndarray, rng: np.random.Generator, joint: bool = False) -> np.ndarray:
    """The cell of each posterior (N, C): k-means of its square roots (Hellinger's distance).

    Of a `joint` one, which is surer, more of them: else it would lose more than those of single modalities.
    """
    samples, classes = posterior.shape
    count = max(2, min(5 * classes if joint else min(4 + 2 * classes, 12), samples // 25))
    points = np.sqrt(posterior).round(6)
    seen, cell = np.unique(points, axis=0, return_inverse=True)
    if len(seen) > count:
        first = seen[rng.choice(len(seen), count, replace=False)]
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # a cell that ends empty is left out
            _, cell = kmeans2(points, first, iter=20, minit="matrix")
    return np.unique(cell, return_inverse=True)[1].ravel()
