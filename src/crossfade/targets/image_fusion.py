"""One image out of several of the same plane, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import interpolate, logsigmoid
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets.base import Scene, Target
from crossfade.targets.decoder import GridDecoder, check_size
from crossfade.targets.fusion_quality import (
    WINDOW,
    edge_transfer,
    mutual_information,
    sobel,
    spatial_frequency,
    ssim,
)
from crossfade.targets.mean_of import means_of_each


class ImageFusion(Target):
    """A raw truth is what is to be kept: S source images, float32 (S, H, W) in [0, 1]. No fused image is given; F, σ of
    what a decoder makes of the tokens of a grid, (size, size), is learned from the sources alone:

        L = structure · √(1/S Σ_s (1 − SSIM(F, S_s))²) + edges · (1 − Q^AB/F) + intensity · mean |F − max_s S_s|
            + texture · mean ||∇F| − max_s |∇S_s||

    Similarity to every source beside a pull to the brightest and to the steepest is the form of SwinFusion (Ma et al.
    2022, doi:10.1109/JAS.2022.105686, section III-C). The root of squares is ours: with the plain mean a copy of one
    source costs hardly more than a fair mixture, and training ends there. The measure of kept edges is added as it is.

    Metrics, means over the samples: `ssim` (mean over the sources) and `ssim_<source>`, `mutual_information` (bits, sum
    over the sources), `spatial_frequency`, `qabf`; see `fusion_quality`.
    """

    main = "ssim"
    form = "array"
    captions: ClassVar[Mapping[str, str]] = {"images": "The sources, simple rules, and the fused image"}

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        grid: int = 8,
        size: int = 48,
        sources: Sequence[str] | None = None,
        structure: float = 1.0,
        edges: float = 0.5,
        intensity: float = 1.0,
        texture: float = 5.0,
    ) -> None:
        super().__init__(spec, fitted)
        self.sources: list[str] = fitted["sources"]
        self.structure, self.edges, self.intensity, self.texture = structure, edges, intensity, texture
        self.head = GridDecoder(width, grid, size, 1)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        """The sources' names, and the mean image (over training split and sources), which looks at no input."""
        check_size(spec)
        if not spec.own["sources"] or len(spec.own["sources"]) < 2:
            raise UserError(
                f"target.{spec.name}.sources: name the images that are fused, at least two, as in "
                f"target.{spec.name}.sources=[ct,mri]."
            )
        if spec.own["size"] < WINDOW:
            raise UserError(f"target.{spec.name}.size={spec.own['size']}: at least {WINDOW}, the window of SSIM.")
        fitted = {"sources": list(spec.own["sources"])}
        known = ImageFusion.encode(spec, fitted, [t for t in truths if t is not None])
        if not len(known):
            raise UserError(f"target.{spec.name}: the training split has no source images. Check the target's column.")
        return {**fitted, "mean": known.mean((0, 1)).tolist()}

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """float32 (N, S, size, size), NaN where unknown. Raises UserError for images of other shape or values."""
        size, count = spec.own["size"], len(fitted["sources"])
        encoded = torch.full((len(truths), count, size, size), float("nan"))
        for i, truth in enumerate(truths):
            if truth is None:
                continue
            images = np.asarray(truth, np.float32)
            if images.ndim != 3 or len(images) != count or not 0 <= images.min() <= images.max() <= 1:
                raise UserError(
                    f"target.{spec.name}: the source images of row {i + 1} have the shape {images.shape} and values "
                    f"from {images.min():g} to {images.max():g}. Needed are ({count}, height, width) in [0, 1], one "
                    f"each of {', '.join(fitted['sources'])}. Mend the file or target.{spec.name}.sources."
                )
            given = torch.from_numpy(images)
            if given.shape[1:] != (size, size):
                given = interpolate(given[None], (size, size), mode="bilinear", antialias=True)[0].clamp(0, 1)
            encoded[i] = given
        return encoded

    def forward(self, representation: Representation) -> Tensor:
        """Tokens (B, K, D) → logits of the fused image (B, size, size)."""
        return self.head(representation).squeeze(1)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """logit of Σ_g w_g·σ(o_g), in logs."""
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log()[..., None, None]
        return (logsigmoid(outputs) + share).logsumexp(1) - (logsigmoid(-outputs) + share).logsumexp(1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        known = self.known(truth).to(output.dtype)
        sources, fused = truth.nan_to_num(0.0), output.float().sigmoid()
        unlike = torch.stack([1 - ssim(fused, source) for source in sources.unbind(1)]).square().mean(0).sqrt()
        edges = 1 - edge_transfer(fused, sources)
        bright = (fused - sources.amax(1)).abs().mean((1, 2))
        contrast = (slopes(fused) - slopes(sources).amax(1)).abs().mean((1, 2))
        each = self.structure * unlike + self.edges * edges + self.intensity * bright + self.texture * contrast
        return (each * known).sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        return output.float().sigmoid()

    def metrics(self) -> MetricCollection:
        return means_of_each(self._measures())

    def _measures(self) -> dict[str, Any]:
        """What is measured of each sample, by name: (fused, sources) → (N,)."""
        measures: dict[str, Any] = {"ssim": self.per_sample}
        for i, name in enumerate(self.sources):
            measures[f"ssim_{name}"] = partial(_ssim_to, i)
        measures["mutual_information"] = mutual_information
        measures["spatial_frequency"] = _frequency
        measures["qabf"] = edge_transfer
        return measures

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """SSIM, (N,), the mean over the sources."""
        return torch.stack([ssim(prediction, source) for source in truth.unbind(1)]).mean(0)

    def chance(self, truth: Tensor) -> Tensor:
        """The training split's mean image, for every sample."""
        return torch.tensor(self.fitted["mean"]).expand(len(truth), -1, -1)

    def references(self, truth: Tensor) -> dict[str, Tensor]:
        """Plain averaging of the sources, and the brightest of them at each pixel."""
        return {"average": truth.mean(1), "maximum": truth.amax(1)}

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Per sample what the metrics are the means of; without a truth the spatial frequency alone."""
        name, fused = self.spec.name, torch.from_numpy(prediction)
        table = {f"{name}.spatial_frequency": spatial_frequency(fused)}
        if truth is not None:
            sources = torch.from_numpy(truth)
            known = self.known(sources)
            for metric, measure in self._measures().items():
                if metric != "spatial_frequency":
                    table[f"{name}.{metric}"] = torch.full((len(fused),), float("nan"))
                    table[f"{name}.{metric}"][known] = measure(fused[known], sources[known])
        return pd.DataFrame({column: values.numpy() for column, values in table.items()})

    def arrays(self, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """The fused images, float32 (N, size, size) in [0, 1]."""
        return {"image": prediction.astype(np.float32)}

    def draw(self, folder: Path, scene: Scene) -> None:
        """<name>_images.png: the sources, their average and maximum, and the fused image, side by side."""
        from crossfade.targets.side_by_side import draw_side_by_side

        draw_side_by_side(self, scene, folder / f"{self.spec.name}_images.png")


def slopes(image: Tensor) -> Tensor:
    """|∇|, the length of Sobel's derivatives over their gain of 8: (…, H, W) → (…, H, W)."""
    x, y = sobel(image)
    return (x * x + y * y + 1e-12).sqrt() / 8


def _ssim_to(i: int, prediction: Tensor, truth: Tensor) -> Tensor:
    return ssim(prediction, truth[:, i])


def _frequency(prediction: Tensor, truth: Tensor) -> Tensor:
    return spatial_frequency(prediction)
