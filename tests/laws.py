"""Small models that have learned a law of `task=synthetic`, for tests of what analyses should find in them."""

from __future__ import annotations

import functools

import torch

from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.data.module import DataModule
from crossfade.model import FusionModel
from crossfade.seeding import seeded


@functools.cache
def trained(law: str, fusion: str, steps: int = 150) -> tuple[FusionModel, DataModule]:
    """Two bits in little noise, linear encoders, no core; 900 test samples."""
    law_of = f"data.source.law={law}"
    data = build_data(compose("task=synthetic", "data.source.samples=3000", "data.split=[0.6,0.1,0.3]", law_of))
    data.prepare()
    model = build_model(compose("task=synthetic", "width=32", f"fusion={fusion}"), data.fitted).train()
    train, target = data.samples[data.split["train"].tolist()], model.targets["label"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with seeded(0, "fit"):
        for _ in range(steps):
            rows = torch.randint(0, len(train), (64,))
            inputs = {name: x[rows] for name, x in train.inputs.items()}
            loss = target.loss(model(inputs, train.presence[rows])["label"], train.truth["label"][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval(), data
