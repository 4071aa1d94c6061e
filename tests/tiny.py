"""Tiny models for the tests: every kind of modality, built from the YAMLs of conf/."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import Tensor

from crossfade.layers.embedding import Embedding
from crossfade.model import FusionModel
from crossfade.registry import default_choices
from crossfade.seeding import seeded
from crossfade.specs import ModalitySpec, TargetSpec
from crossfade.targets import make_target

CONF = Path(__file__).parents[1] / "conf"
WIDTH = 16

SPECS = {
    "audio": ModalitySpec(name="audio", kind="audio", rate=1000, length=800),
    "camera": ModalitySpec(name="camera", kind="image", channels=3, size=32),
    "lidar": ModalitySpec(name="lidar", kind="points", channels=4, extent=(-2, 2, -2, 2)),
    "note": ModalitySpec(name="note", kind="text", length=8),
    "power": ModalitySpec(name="power", kind="series", rate=1, length=20),
    "table": ModalitySpec(name="table", kind="table", column=["age", "sex"], categorical=["sex"]),
}
FITTED: dict[str, dict[str, Any]] = {
    "audio": {"length": 800},
    "camera": {},
    "lidar": {"length": 12, "channels": 4, "low": [-2.0, -2.0, -1.0], "high": [2.0, 2.0, 1.0]},
    "note": {"pad": 0, "vocabulary": 30, "length": 8},
    "power": {"length": 20, "channels": 2},
    "table": {"cardinality": [0, 3], "covariance": [[1.0]]},
}
SMALL = {  # by kind, or by option where the kind has several
    "image": {"model": "test_vit"},
    "image/video": {"model": "test_vit", "frames": 3, "hidden": 16, "heads": 2},
    "text": {"hidden": 16, "layers": 1, "heads": 2},
    "audio/spectrogram": {"model": "test_vit", "mels": 32, "window_ms": 100.0},
    "audio/logmel": {"mels": 8, "window_ms": 100.0, "hidden": 16, "layers": 1, "heads": 2},
    "audio/ast": {"mels": 8, "patch": 8, "stride": 8, "hidden": 16, "layers": 1, "heads": 2},
    "audio/wav2vec2": {"hidden": 16, "layers": 1, "heads": 2},
    "audio/whisper": {"mels": 8, "hidden": 16, "layers": 1, "heads": 2},
    "table": {"hidden": 16},
    "series": {"hidden": 16, "layers": 1, "heads": 2},
    "points": {"hidden": 16, "layers": 1},
}
TARGETS = {
    "kind": (TargetSpec(name="kind", kind="multiclass"), {"classes": ["a", "b", "c"], "counts": [2, 1, 1]}),
    "signs": (TargetSpec(name="signs", kind="multilabel"), {"classes": ["s", "t"], "shares": [0.5, 0.25]}),
    "size": (TargetSpec(name="size", kind="regression", unit="mm"), {"mean": [3.0], "sd": [2.0]}),
}


def options(group: str) -> list[str]:
    """The options of a config group: the registry that tests walk."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def part(group: str, option: str, **changes: Any) -> dict[str, Any]:
    """A part's YAML as a plain dict, without its interpolations."""
    loaded = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"), resolve=False)
    assert isinstance(loaded, dict)
    fields = {str(k): (None if str(v).startswith("${") else v) for k, v in loaded.items()}
    return {**fields, **changes}


def made(described: dict[str, Any], **given: Any) -> Any:
    """The object of a part."""
    fields = {k: v for k, v in described.items() if k != "_target_"}
    return get_class(described["_target_"])(**given, **fields)


def encoder(name: str, seed: int = 0, option: str | None = None, **changes: Any) -> Any:
    """The encoder of one of SPECS, small."""
    kind = SPECS[name].kind
    option = option or default_choices()[f"encoder/{kind}"]
    small = SMALL.get(f"{kind}/{option}") or SMALL[kind]
    with seeded(seed, "encoder", name):
        return made(
            part(f"encoder/{kind}", option, **{**small, **changes}),
            spec=SPECS[name],
            fitted=FITTED[name],
        )


@functools.cache
def shared_encoder(name: str, seed: int, pool: str | None) -> Any:
    """One encoder for many models, for tests that change no weight: building it costs more than running it."""
    return encoder(name, seed, **({} if pool is None else {"pool": pool}))


def model(
    modalities: tuple[str, ...] = ("camera", "note", "table"),
    fusion: str = "weighted",
    tokens: int = 1,
    core: str = "transformer",
    targets: tuple[str, ...] = ("kind", "signs", "size"),
    seed: int = 0,
    fusion_fields: dict[str, Any] | None = None,
    shared: bool = False,
    imputation: str = "none",
) -> FusionModel:
    """A tiny FusionModel in evaluation mode, every component with a seed of its own.

    `shared`: with the encoders of other models of this seed, for tests that change no weight and need no gradient.
    """
    pool = None if tokens == 1 else "none"
    of = shared_encoder if shared else shared_encoder.__wrapped__
    encoders = {name: of(name, seed, pool) for name in modalities}
    embeddings = {}
    for name in modalities:
        with seeded(seed, "embedding", name):
            embeddings[name] = Embedding(encoders[name].width, WIDTH, tokens)
    with seeded(seed, "fusion"):
        strategy = made(
            part("fusion", fusion, **(fusion_fields or {})),
            modalities=tuple(sorted(modalities)),
            width=WIDTH,
            tokens=tokens,
        )
    with seeded(seed, "imputation"):
        filled = made(part("imputation", imputation), modalities=tuple(sorted(modalities)), width=WIDTH, tokens=tokens)
    with seeded(seed, "core"):
        h = made(part("core", core), width=WIDTH, length=strategy.length)
    heads = {}
    for name in targets:
        with seeded(seed, "target", name):
            heads[name] = make_target(*TARGETS[name], WIDTH)
    return FusionModel(encoders, {m: m for m in modalities}, embeddings, strategy, h, heads, filled).eval()


def inputs(modalities: tuple[str, ...], samples: int, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of every kind."""
    with seeded(seed, "inputs"):
        every = {
            "audio": torch.randn(samples, 800),
            "camera": torch.randn(samples, 3, 32, 32),
            "note": torch.cat([torch.randint(5, 30, (samples, 6)), torch.zeros(samples, 2, dtype=torch.long)], 1),
            "power": torch.randn(samples, 20, 2),
            "table": torch.stack([torch.randn(samples), torch.randint(0, 3, (samples,)).float()], 1),
            "lidar": cloud(samples),
        }
    return {name: every[name] for name in modalities}


def cloud(samples: int) -> Tensor:
    """Points (n, 12, 4) of which every third sample has five and every fifth has none; NaN = no point."""
    points = torch.randn(samples, 12, 4)
    points[::3, 5:] = float("nan")
    points[1::5] = float("nan")
    return points


def spoiled(x: Tensor) -> Tensor:
    """Values as wrong as the type allows: NaN, or another word."""
    return torch.full_like(x, float("nan")) if x.is_floating_point() else torch.full_like(x, 7)


def patterns(modalities: int) -> Tensor:
    """All 2^M − 1 presence patterns, (2^M − 1, M)."""
    return torch.tensor([[bool(p >> m & 1) for m in range(modalities)] for p in range(1, 2**modalities)])
