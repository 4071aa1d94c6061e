"""What a fused image keeps, against independent references and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torchmetrics.functional.image import structural_similarity_index_measure

from crossfade.targets.fusion_quality import edge_transfer, mutual_information, sobel, spatial_frequency, ssim


def images(samples=3, size=24, seed=0):
    rng = np.random.default_rng(seed)
    rough = rng.random((samples, size // 4, size // 4)).repeat(4, 1).repeat(4, 2)
    return torch.tensor(0.7 * rough + 0.3 * rng.random((samples, size, size)), dtype=torch.float32)


def test_ssim_is_that_of_torchmetrics_where_the_window_lies_in_the_image():
    a, b = images(), images(seed=1)
    _, whole = structural_similarity_index_measure(a[:, None], b[:, None], data_range=1.0, return_full_image=True)
    torch.testing.assert_close(ssim(a, b), whole[:, 0, 5:-5, 5:-5].mean((1, 2)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ssim(a, a), torch.ones(3))


def test_mutual_information_is_that_of_scikit_learn_in_bits():
    fused, sources = images(), torch.stack([images(seed=1), images(seed=2)], 1)

    def bins(x):
        return np.minimum((x.numpy() * 16).astype(int), 15).ravel()

    wanted = [
        sum(mutual_info_score(bins(f), bins(s)) for s in pair) / math.log(2)
        for f, pair in zip(fused, sources, strict=True)
    ]
    np.testing.assert_allclose(mutual_information(fused, sources), wanted, rtol=1e-5)


def test_a_copy_has_the_entropy_of_its_source():
    levels = torch.arange(16).repeat_interleave(16).view(1, 16, 16) / 16 + 0.01
    constant = torch.full((1, 16, 16), 0.3)
    assert mutual_information(levels, torch.stack([levels, constant], 1)).item() == pytest.approx(4.0)


def test_spatial_frequency_of_stripes_and_of_a_ramp():
    stripes = torch.zeros(1, 8, 8)
    stripes[:, :, ::2] = 1  # along a row every neighbour differs by 1: 7 of 8 differences exist
    assert spatial_frequency(stripes).item() == pytest.approx(math.sqrt(7 / 8))
    ramp = (0.05 * torch.arange(8.0)).expand(8, 8)
    both = ramp + ramp.T
    assert spatial_frequency(both[None]).item() == pytest.approx(math.sqrt(2 * 7 / 8) * 0.05, rel=1e-5)
    assert spatial_frequency(torch.full((1, 8, 8), 0.4)) == 0


def reference_q(fused, sources):
    """Xydeas & Petrović's equations, pixel by pixel in float64."""

    def edges(image):
        image = np.pad(image.astype(np.float64), 1, mode="edge")
        strength, turn = np.zeros(np.array(image.shape) - 2), np.zeros(np.array(image.shape) - 2)
        for i, j in np.ndindex(*strength.shape):
            w = image[i : i + 3, j : j + 3]
            x = (w[:, 2] - w[:, 0]) @ [1, 2, 1]
            y = (w[2] - w[0]) @ [1, 2, 1]
            strength[i, j], turn[i, j] = np.hypot(x, y), np.arctan(y / x) if x else np.pi / 2
        return strength, turn

    gf, af = edges(fused)
    above = below = 0.0
    for source in sources:
        g, a = edges(source)
        for i, j in np.ndindex(*g.shape):
            high, low = max(g[i, j], gf[i, j]), min(g[i, j], gf[i, j])
            kept = low / high if high else 0.0
            aligned = abs(abs(a[i, j] - af[i, j]) - np.pi / 2) / (np.pi / 2)
            q = 0.9994 / (1 + np.exp(-15 * (kept - 0.5))) * 0.9879 / (1 + np.exp(-22 * (aligned - 0.8)))
            above, below = above + q * g[i, j], below + g[i, j]
    return above / below


def test_edge_transfer_is_the_papers_pixel_by_pixel():
    fused, sources = images(2), torch.stack([images(2, seed=1), images(2, seed=2)], 1)
    wanted = [reference_q(f.numpy(), s.numpy()) for f, s in zip(fused, sources, strict=True)]
    np.testing.assert_allclose(edge_transfer(fused, sources), wanted, rtol=1e-3)


def test_a_perfect_copy_keeps_all_edges_that_the_constants_allow():
    image = images(1)
    perfect = 0.9994 / (1 + math.exp(-7.5)) * 0.9879 / (1 + math.exp(-4.4))
    assert edge_transfer(image, torch.stack([image, image], 1)).item() == pytest.approx(perfect, abs=1e-3)
    flat = torch.full_like(image, 0.5)
    assert edge_transfer(flat, torch.stack([image, image], 1)).item() < 1e-3


def test_sobel_of_a_ramp_is_eight_times_its_slope():
    x = (0.1 * torch.arange(6.0)).expand(1, 5, 6)
    along, across = sobel(x)
    torch.testing.assert_close(along[:, :, 1:-1], torch.full((1, 5, 4), 0.8))
    torch.testing.assert_close(across, torch.zeros(1, 5, 6))


def test_everything_has_a_gradient_even_where_an_image_is_flat():
    fused = torch.full((1, 16, 16), 0.5, requires_grad=True)
    sources = torch.stack([images(1, 16), torch.zeros(1, 16, 16)], 1)
    (ssim(fused, sources[:, 0]).sum() + edge_transfer(fused, sources).sum()).backward()
    assert fused.grad.isfinite().all()
    assert fused.grad.any()
