"""How much of the source images a fused image keeps: SSIM, mutual information, spatial frequency, Q^AB/F.

Images are grey, (N, H, W) or, of S sources, (N, S, H, W), in [0, 1]; every function gives one number per sample.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, one_hot, pad

WINDOW, SIGMA = 11, 1.5  # of SSIM, pixels
BINS = 16  # of the joint histogram; more would mostly count the noise of a small image


def ssim(image: Tensor, other: Tensor) -> Tensor:
    """Mean structural similarity of two batches (N, H, W) with values in [0, 1]: (N,), at most 1.

    SSIM = (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)), C₁ = 0.01², C₂ = 0.03², over all
    windows that lie in the image; the window is an 11 × 11 Gaussian with σ = 1.5 (Wang et al. 2004,
    doi:10.1109/TIP.2003.819861, eq. 13). Differentiable. Smaller images than the window have none.
    """
    down, across = (_gaussian(length, image) for length in image.shape[1:])
    stack = torch.stack([image, other, image * image, other * other, image * other], 1)
    blurred = down @ stack @ across.T
    mean_x, mean_y, square_x, square_y, product = blurred.unbind(1)
    var_x, var_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    light = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)
    return (light * structure).mean((1, 2))


def _gaussian(length: int, like: Tensor) -> Tensor:
    """The window at each of its places along a line, (length − 10, length): as a matrix quicker than a convolution."""
    offset = torch.arange(WINDOW, device=like.device, dtype=like.dtype) - WINDOW // 2
    window = torch.exp(-(offset**2) / (2 * SIGMA**2))
    places = torch.arange(length - WINDOW + 1, device=like.device)[:, None]
    column = torch.arange(length, device=like.device) - places
    inside = (column >= 0) & (column < WINDOW)
    return torch.where(inside, (window / window.sum())[column.clamp(0, WINDOW - 1)], 0.0)


def sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives along x and y by Sobel's operator, (…, H, W) each; the border is repeated."""
    flat = pad(image.flatten(0, -3).unsqueeze(1), (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor(
        [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=image.dtype, device=image.device
    )
    found = conv2d(flat, torch.stack([kernel, kernel.T]).unsqueeze(1))
    return found[:, 0].reshape(image.shape), found[:, 1].reshape(image.shape)


def mutual_information(fused: Tensor, sources: Tensor) -> Tensor:
    """Σ_s I(F; S_s) in bits, (N,), each from a joint histogram of 16 × 16 equal bins over [0, 1].

    I = Σ p(f, s) log₂ p(f, s) / (p(f) p(s)) (Qu, Zhang & Yan 2002, doi:10.1049/el:20020212, eq. 1 to 3).
    """
    f = _binned(fused)
    total = torch.zeros(len(fused), dtype=torch.float64, device=fused.device)
    for source in sources.unbind(1):
        joint = f.transpose(1, 2) @ _binned(source)  # (N, bins, bins)
        joint = joint / joint.sum((1, 2), keepdim=True)
        alone = joint.sum(2, keepdim=True) * joint.sum(1, keepdim=True)
        ratio = torch.where(joint > 0, joint / alone.clamp(min=1e-300), 1.0)
        total = total + (joint * ratio.log2()).sum((1, 2))
    return total.float()


def _binned(image: Tensor) -> Tensor:
    """(N, H, W) → which bin each pixel is in, (N, H·W, bins), 0 or 1."""
    number = (image.flatten(1) * BINS).long().clamp(0, BINS - 1)
    return one_hot(number, BINS).double()


def spatial_frequency(image: Tensor) -> Tensor:
    """√(RF² + CF²), (N,): the root mean squares of the differences along rows and columns.

    Eskicioglu & Fisher 1995, doi:10.1109/26.477498, eq. 16 to 18. Noise counts too.
    """
    row = (image[:, :, 1:] - image[:, :, :-1]).square().sum((1, 2))
    column = (image[:, 1:] - image[:, :-1]).square().sum((1, 2))
    return ((row + column) / image[0].numel()).sqrt()


def edge_transfer(fused: Tensor, sources: Tensor) -> Tensor:
    """Q^AB/F, (N,) in [0, 1]: the share of the sources' edges, weighted by their strength, that the fused image has.

    With Sobel strength g and orientation a, G = min(g_S, g_F)/max(g_S, g_F), A = ||a_S − a_F| − π/2|/(π/2),
    Q_S = Γ_g/(1 + exp(κ_g(G − σ_g))) · Γ_a/(1 + exp(κ_a(A − σ_a))), Q = Σ Q_S g_S / Σ g_S over pixels and sources
    (Xydeas & Petrović 2000, doi:10.1049/el:20000267, eq. 1 to 8, with their constants and L = 1).
    """
    strength_f, turn_f = (x.unsqueeze(1) for x in _edges(fused))
    strength, turn = _edges(sources)
    high, low = torch.maximum(strength, strength_f), torch.minimum(strength, strength_f)
    kept = torch.where(high > 0, low / high.clamp(min=1e-12), 0.0)
    aligned = ((turn - turn_f).abs() - math.pi / 2).abs() / (math.pi / 2)
    quality = 0.9994 / (1 + torch.exp(-15 * (kept - 0.5))) * 0.9879 / (1 + torch.exp(-22 * (aligned - 0.8)))
    total = strength.sum((1, 2, 3))
    return (quality * strength).sum((1, 2, 3)) / total.clamp(min=1e-12)


def _edges(image: Tensor) -> tuple[Tensor, Tensor]:
    """Strength and orientation in [−π/2, π/2]; both have a gradient where the image is flat, too."""
    x, y = sobel(image)
    return (x * x + y * y + 1e-12).sqrt(), torch.where(x == 0, math.pi / 2, torch.atan(y / torch.where(x == 0, 1.0, x)))
