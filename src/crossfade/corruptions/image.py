"""Images (C, S, S): noise, blur, occlusion, contrast, brightness."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale


class Noise(Corruption):
    """x + amount·sd_c·n, n ~ N(0, 1): a sensor's noise, or too little light.

    Hendrycks & Dietterich 2019 (arXiv:1903.12261), section 3, gaussian noise; their sd of images in [0, 1] divided by
    ImageNet's, .226.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return x + amount * scale.sd.numpy() * rng.standard_normal(x.shape, dtype=np.float32)


class Blur(Corruption):
    """x ∗ Gaussian of σ = amount·S pixels in both directions, the border repeated: out of focus.

    Hendrycks & Dietterich 2019, gaussian blur (their extra corruptions); their pixels as percent of the side, so
    that they are theirs where S = 100.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        sigma = amount * x.shape[-1]
        return gaussian_filter(x, (0, sigma, sigma), mode="nearest")


class Occlusion(Corruption):
    """A square of `amount` of the area, anywhere within, holds the training split's mean: something in the way.

    DeVries & Taylor 2017 (arXiv:1708.04552), section 3.1, which masks with the mean in training; there it may reach
    over the border.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        side = x.shape[-1]
        hidden = round(side * amount**0.5)
        top, left = (int(place * (side - hidden + 1)) for place in rng.random(2))
        x = x.copy()
        x[:, top : top + hidden, left : left + hidden] = scale.mean.numpy()
        return x


class Contrast(Corruption):
    """x̄_c + amount·(x − x̄_c), x̄_c the image's own mean: fog, a wrong window, a faint sensor.

    Hendrycks & Dietterich 2019, contrast, with their amounts.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        mean = x.mean((1, 2), keepdims=True)
        return mean + np.float32(amount) * (x - mean)


class Brightness(Corruption):
    """x + amount·sd_c: exposed too long.

    Hendrycks & Dietterich 2019, brightness; theirs adds to the value of HSV in [0, 1], here to all channels, divided
    by ImageNet's sd, .226.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return x + np.float32(amount) * scale.sd.numpy()
