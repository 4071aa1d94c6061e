"""The BROJA decomposition of information about a label, of discrete sources, solved to a known gap.

The unique information in the sense of decision theory: Bertschinger, Rauh, Olbrich, Jost & Ay 2014, arXiv:1311.2852.
Among all joint distributions with the pair margins p(t_1, y) and p(t_2, y) the one of least information is sought,

    I* = min_q I_q(Y; T_1, T_2),   U_1 = I* − I(Y; T_2),   U_2 = I* − I(Y; T_1),   R = I(Y; T_1) + I(Y; T_2) − I*

(their eq. 2 to 4), and S = I(Y; T_1, T_2) − I*. R, U_1 and U_2 so depend on the two pair margins alone. It is convex:
here an interior point method, of which many problems of one size run side by side (a bootstrap's resamples).
"""

from __future__ import annotations

import math

import numpy as np

from crossfade.data.known.information import Decomposition

SMALLEST = 1e-10  # share of a pair margin that an empty cell gets, so that the problem has an inside
SHRINK = 0.2  # of the barrier from stage to stage
STEPS = 3  # of Newton's method a stage
HALVINGS = 8


def information(table: np.ndarray) -> np.ndarray:
    """I(T; Y) in bits of tables of probabilities or counts (…, T, C): (…)."""
    p = table / table.sum((-2, -1), keepdims=True)
    apart = p.sum(-1, keepdims=True) * p.sum(-2, keepdims=True)
    ratio = np.divide(p, apart, out=np.ones_like(p), where=p > 0)
    return (p * np.log2(ratio)).sum((-2, -1))


def least_information(first: np.ndarray, second: np.ndarray, gap: float = 1e-7) -> np.ndarray:
    """I* in bits of pair margins first (…, T_1, C) and second (…, T_2, C): (…), at most `gap` bits above the least.

    The two must give each label the same probability. Raises ValueError where they do not.
    """
    a, b = _smoothed(first), _smoothed(second)
    if not np.allclose(a.sum(-2), b.sum(-2), atol=1e-6):
        raise ValueError("The two pair margins give the labels different probabilities")
    lead = a.shape[:-2]
    a, b = a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:])
    b = b * (a.sum(1) / b.sum(1))[:, None]
    q = a[:, :, None, :] * b[:, None, :, :] / a.sum(1)[:, None, None, :]  # independent given y: inside, and allowed
    size = math.prod(q.shape[1:])
    barrier = 1.0 / size
    while True:
        for _ in range(STEPS):
            q = _newton(q, a, b, barrier)
        if barrier * size / math.log(2) <= gap:
            break
        barrier *= SHRINK
    return information(q.reshape(len(q), -1, q.shape[-1])).reshape(lead)


def broja(joint: np.ndarray, gap: float = 1e-7) -> Decomposition:
    """R, U_1, U_2, S in bits of a joint distribution p(t_1, t_2, y), (T_1, T_2, C)."""
    first, second = joint.sum(1), joint.sum(0)
    least = float(least_information(first, second, gap))
    one, two = float(information(first)), float(information(second))
    both = float(information(joint.reshape(-1, joint.shape[-1])))
    return Decomposition(one + two - least, least - two, least - one, both - least)


def _smoothed(table: np.ndarray) -> np.ndarray:
    """Probabilities, no cell empty, each label as likely as before."""
    table = np.asarray(table, dtype=np.float64)
    p = table / table.sum((-2, -1), keepdims=True)
    raised = p + SMALLEST * p.sum(-2, keepdims=True) + 1e-300
    return raised * (p.sum(-2, keepdims=True) / raised.sum(-2, keepdims=True))


def _newton(q: np.ndarray, a: np.ndarray, b: np.ndarray, barrier: float) -> np.ndarray:
    """One step on Σ q log(q/s) − μ Σ log q, s = Σ_y q, towards the pair margins a and b: (B, T_1, T_2, C).

    The Hessian is one block a cell of (t_1, t_2), diag(1/q + μ/q²) − 11ᵀ/s, inverted by Sherman and Morrison.
    """
    count, k1, k2, classes = q.shape
    s = q.sum(-1, keepdims=True)
    gradient = np.log(q / s) - barrier / q
    inverse = q**2 / (q + barrier)
    rest = (q * barrier / (q + barrier)).sum(-1, keepdims=True)  # s − Σ_y inverse, without cancellation
    w = inverse[..., :, None] * inverse[..., None, :] / rest[..., None]
    w[..., range(classes), range(classes)] += inverse
    step = -(w @ gradient[..., None])[..., 0]
    # a multiplier for each cell of p(t_1, y) and p(t_2, y)
    rows1, rows2 = k1 * classes, k2 * classes
    schur = np.zeros((count, rows1 + rows2, rows1 + rows2))
    schur[:, :rows1, :rows1] = _blocks(w.sum(2))
    schur[:, rows1:, rows1:] = _blocks(w.sum(1))
    schur[:, :rows1, rows1:] = np.moveaxis(w, 3, 2).reshape(count, rows1, rows2)
    schur[:, rows1:, :rows1] = np.swapaxes(schur[:, :rows1, rows1:], 1, 2)
    # what the step would do to the margins, less what rounding has done to them so far
    parts = (q + step).sum(2) - a, (q + step).sum(1) - b
    off = np.concatenate([part.reshape(count, -1) for part in parts], 1)
    scale = 1 / np.sqrt(np.einsum("bii->bi", schur))
    schur *= scale[:, :, None] * scale[:, None, :]
    off *= scale
    # of each label one cell follows from the others; leaving out the largest keeps the system well conditioned
    spare = rows1 + b.argmax(1) * classes + np.arange(classes)
    which = np.arange(count)[:, None]
    schur[which, spare], schur[which, :, spare], off[which, spare] = 0.0, 0.0, 0.0
    schur[:, range(rows1 + rows2), range(rows1 + rows2)] += 1e-13  # where rounding has made it singular
    schur[which, spare, spare] = 1.0
    nu = (np.linalg.solve(schur, off[..., None])[..., 0] * scale).reshape(count, k1 + k2, classes)
    push = nu[:, :k1, None] + nu[:, None, k1:]
    step = step - (w @ push[..., None])[..., 0]
    return _moved(q, step, gradient, barrier)


def _blocks(w: np.ndarray) -> np.ndarray:
    """(B, K, C, C) as the blocks of a diagonal, (B, K·C, K·C)."""
    count, k, classes = w.shape[:3]
    out = np.zeros((count, k, classes, k, classes))
    out[:, range(k), :, range(k), :] = np.moveaxis(w, 1, 0)
    return out.reshape(count, k * classes, k * classes)


def _moved(q: np.ndarray, step: np.ndarray, gradient: np.ndarray, barrier: float) -> np.ndarray:
    """q + t·step, t the largest of 1, ½, ¼, … of what stays inside that makes the objective smaller; 0 for none."""

    def objective(x: np.ndarray) -> np.ndarray:
        return (x * np.log(x / x.sum(-1, keepdims=True)) - barrier * np.log(x)).sum((1, 2, 3))

    axes = (1, 2, 3)
    length = np.minimum(1.0, 0.95 / np.maximum(-(step / q).min(axes), 1e-12))
    start, slope = objective(q), (gradient * step).sum(axes)
    for _ in range(HALVINGS):
        moved = q + length[:, None, None, None] * step
        worse = objective(moved) > start + 1e-4 * length * slope + 1e-14
        if not worse.any():
            return moved
        length = np.where(worse, length / 2, length)
    return np.where(worse[:, None, None, None], q, moved)
