"""Images: any timm model, any number of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, pixel_unshuffle

from crossfade.encoders import hub
from crossfade.encoders.base import Attention, Encoder
from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec

FINEST = 6  # values per cell and direction that a token keeps apart


class TimmEncoder(Encoder):
    """(B, C, H, W) → feature tokens (B, H′·W′, D_e), or their pooled vector (B, 1, D_e).

    On a grid of g × g cells a token holds the image itself and the model's feature maps of all strides at that cell
    (hypercolumns: Hariharan et al. 2015, arXiv:1411.5752), (B, g², Σ of their channels). Up to 6 × 6 values that lie in
    one cell stand side by side in it, so that what is drawn pixel by pixel can be.

    The weights are timm's from the hub (`pretrained`), those of a local file (`weights`; number of channels
    adapted), or drawn from the run's seed.

    Raises UserError for a model that timm has not, a file that does not exist, or a hub out of reach.
    """

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str,
        pretrained: bool = False,
        weights: str | None = None,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
        grid: int | None = None,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.grid = grid
        self.name, self.pool, self.weights, self.hub = model, pool, weights, pretrained
        self.pretrained = pretrained or weights is not None
        _check_name(model)
        self.body = self._create()
        self.body.eval()
        with torch.no_grad():  # timm's num_features is not the output's width for all families: look
            tokens = self._tokens(torch.zeros(1, spec.channels, spec.size, spec.size))
        self.body.train()
        self.width = tokens.shape[-1]

    @staticmethod
    def check(fields: Mapping[str, Any]) -> None:
        _check_name(fields["model"])
        if fields.get("weights") is not None:
            hub.existing_file(fields["weights"], "encoder.image.weights")
        elif fields.get("pretrained"):
            with hub.download(fields["model"], "encoder.image.model"):
                timm.create_model(fields["model"], pretrained=True)

    def _create(self, **given: Any) -> torch.nn.Module:
        wanted: dict[str, Any] = dict(in_chans=self.spec.channels, **given)
        wanted |= {"num_classes": 0, "global_pool": ""} if self.grid is None else {"features_only": True}
        try:  # ViT-like models are told the size of the image, others refuse the argument
            body = timm.create_model(self.name, img_size=self.spec.size, **wanted)
        except TypeError:
            body = timm.create_model(self.name, **wanted)
        return body.to(memory_format=torch.channels_last)  # quicker convolutions on a CPU: docs/LOG.md

    def load_given_weights(self) -> None:
        if self.weights is not None:
            hub.existing_file(self.weights, "encoder.image.weights")
            with hub.local(self.weights, "encoder.image.weights"):
                self.body = self._create_from(self.weights)
        elif self.hub:
            with hub.download(self.name, "encoder.image.model"):
                self.body = self._create(pretrained=True)

    def _create_from(self, path: str) -> torch.nn.Module:
        state = torch.get_rng_state()
        body = self._create(pretrained=True, pretrained_cfg_overlay={"file": path})
        torch.set_rng_state(state)
        drawn = dict(self._create().named_parameters())
        # timm only warns when the names in the file are not those of the model: what is still as drawn was not given
        left = [n for n, p in body.named_parameters() if p.ndim > 1 and p.any() and torch.equal(p, drawn[n])]
        if left:
            raise ValueError(f"it holds no weights for {len(left)} layers of {self.name}, first {left[0]}.")
        return body

    def _tokens(self, x: Tensor) -> Tensor:
        if self.grid is not None:
            widths = self.body.feature_info.channels()  # type: ignore[union-attr, operator]
            maps = [_channels_first(features, width) for features, width in zip(self.body(x), widths, strict=True)]
            return torch.cat([on_grid(features, self.grid) for features in (x, *maps)], 1).flatten(2).transpose(1, 2)
        features = self.body.forward_features(x)  # type: ignore[operator]
        if features.ndim == 4:
            width: Any = self.body.num_features
            return _channels_first(features, width).flatten(2).transpose(1, 2)
        return features[:, getattr(self.body, "num_prefix_tokens", 0) :]

    def attention(self, x: Tensor) -> Attention | None:
        """Of ViT-like models, whose blocks all attend over all patches; others (convolutions, windows) have none."""
        blocks: Any = getattr(self.body, "blocks", ())
        parts: list[Any] = [getattr(block, "attn", None) for block in blocks]
        if not parts or self.grid is not None or not all(hasattr(part, "fused_attn") for part in parts):
            return None
        seen: list[Tensor] = []
        handles, fused = [], [part.fused_attn for part in parts]
        for part in parts:
            part.fused_attn = False  # the fused kernel keeps no weights
            handles.append(part.attn_drop.register_forward_hook(lambda _module, _input, out: seen.append(out)))
        patches = self._tokens(x).shape[1]
        for part, handle, before in zip(parts, handles, fused, strict=True):
            part.fused_attn = before
            handle.remove()
        prefix = int(getattr(self.body, "num_prefix_tokens", 0))
        whole = (len(x), prefix + patches, prefix + patches)
        if len(seen) != len(parts) or any((len(a), *a.shape[2:]) != whole for a in seen):
            return None
        share = torch.zeros(whole[:2], device=x.device)
        share[:, prefix:] = 1 / patches
        return Attention(torch.stack([a.mean(1) for a in seen], 1), share, prefix)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self._tokens(x)
        if self.pool == "mean" and self.grid is None:
            tokens = tokens.mean(1, keepdim=True)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)


def _channels_first(features: Tensor, width: int) -> Tensor:
    """(B, D, H, W), which some families give as (B, H, W, D)."""
    last = features.shape[1] != width and features.shape[-1] == width
    return features.movedim(-1, 1) if last else features


def on_grid(features: Tensor, grid: int) -> Tensor:
    """A map (B, C, H, W) on g × g cells, (B, C·r², g, g), r = min(H // g, W // g, 6) but at least 1.

    A finer map is averaged to r·g × r·g, and each cell's r × r values become channels; a coarser one is interpolated.
    """
    high, wide = features.shape[-2:]
    fine = min(min(high, wide) // grid, FINEST)
    side = fine * grid
    if fine < 1:  # as one product: its gradient is quicker than interpolate's, and deterministic on a GPU
        single = torch.eye(high * wide, device=features.device, dtype=features.dtype).view(-1, 1, high, wide)
        spread = interpolate(single, (grid, grid), mode="bilinear").flatten(1)
        return (features.flatten(2) @ spread).unflatten(2, (grid, grid))
    if high % side == 0 and wide % side == 0:
        features = avg_pool2d(features, (high // side, wide // side))
    else:
        features = adaptive_avg_pool2d(features, side)
    return pixel_unshuffle(features, fine)


def _check_name(model: str) -> None:
    if not timm.is_model(model):
        raise UserError(
            f"encoder.image.model={model}: timm has no such model.{did_you_mean(model, timm.list_models())} "
            'List them with: python -c "import timm; print(timm.list_models())"'
        )
