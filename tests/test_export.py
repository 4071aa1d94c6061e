"""torch.export of the whole model, for every strategy, with a batch of any size."""

from __future__ import annotations

import pytest
import torch

import tiny

MODALITIES = ("camera", "note", "table")


@pytest.mark.slow
@pytest.mark.parametrize("fusion", tiny.options("fusion"))
def test_exported_it_gives_the_same_for_any_batch(fusion):
    model = tiny.model(MODALITIES, fusion, fusion_fields={"alpha": "learned"} if fusion == "weighted" else {})
    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = ({name: {0: batch} for name in MODALITIES}, {0: batch})
    example = (tiny.inputs(MODALITIES, 3), torch.ones(3, 3, dtype=torch.bool))
    exported = torch.export.export(model, example, dynamic_shapes=shapes).module()
    for samples, presence in ((7, tiny.patterns(3)), (2, tiny.patterns(3)[:2])):
        x = tiny.inputs(MODALITIES, samples, seed=samples)
        with torch.no_grad():
            ours, theirs = model(x, presence), exported(x, presence)
        for name in ours:
            torch.testing.assert_close(theirs[name], ours[name], atol=1e-5, rtol=1e-5)
