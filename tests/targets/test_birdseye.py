"""What the driving targets share: heads that can be exported, padded lists, figures over map and points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

from crossfade.core.base import Representation
from crossfade.specs import ModalitySpec, TargetSpec
from crossfade.targets import make_target, target_class
from crossfade.targets.base import Scene
from crossfade.targets.birdseye import BirdsEyeHead, between, gathered, pack
from target_samples import samples_of

KINDS = ("detection", "plan", "trajectories")
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind):
    spec = TargetSpec(name="y", kind=kind, **samples_of(kind).FIELDS)
    fitted = target_class(spec).fit(spec, samples_of(kind).TRUTHS)
    torch.manual_seed(0)
    target = make_target(spec, fitted, 16).eval()
    return target, target_class(spec).encode(spec, fitted, samples_of(kind).TRUTHS)


def representation(samples, tokens=16):
    drawn = torch.randn(samples, tokens, 16)
    return Representation(drawn[:, 0], drawn, torch.ones(samples, tokens, dtype=torch.bool))


def test_packed_lists_tell_empty_from_unknown():
    packed = pack([np.ones((2, 3)), None, np.zeros((0, 3))], (3,))
    assert packed.shape == (3, 3, 3)
    assert packed[0].tolist() == [[0] * 3, [1] * 3, [1] * 3]
    assert packed[1].isnan().all()
    assert packed[2, 0].tolist() == [0] * 3
    assert packed[2, 1:].isnan().all()
    assert pack([None, np.zeros((0, 4, 2))], (4, 2)).shape == (2, 1, 4, 2)


def test_gathered_reads_the_cell_row_by_row():
    raster = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    found = gathered(raster, torch.tensor([[0, 7], [15, 4]]))
    assert torch.equal(found[0, 1], raster[0, :, 1, 3])
    assert torch.equal(found[1, 0], raster[1, :, 3, 3])


def test_between_is_linear_interpolation_with_the_edge_going_on():
    rng = np.random.default_rng(0)
    raster, place = rng.normal(size=(2, 3, 5, 5)), rng.uniform(0, 5, (2, 40, 2))
    found = between(torch.from_numpy(raster), torch.from_numpy(place))
    expected = [
        [map_coordinates(channel, (where - 0.5).T, order=1, mode="nearest") for channel in sample]
        for sample, where in zip(raster, place, strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), np.swapaxes(expected, 1, 2), atol=1e-12)
    one_cell = torch.ones(1, 2, 1, 1)
    assert between(one_cell, torch.tensor([[[0.3, 0.9]]])).tolist() == [[[1.0, 1.0]]]
    middles = torch.tensor([[[0.5, 0.5], [2.5, 4.5]]]).double()
    assert torch.equal(between(torch.from_numpy(raster[:1]), middles)[0, 1], torch.from_numpy(raster[0, :, 2, 4]))


def test_a_token_reaches_its_own_cells_and_their_neighbours():
    """Token row·g + column → the cells at upsample·row and upsample·column, and the convolution's one around them."""
    torch.manual_seed(0)
    head = BirdsEyeHead(16, outputs=2, grid=4, upsample=2, hidden=8)
    tokens = torch.randn(1, 16, 16, requires_grad=True)
    out = head(Representation(tokens[:, 0], tokens, torch.ones(1, 16, dtype=torch.bool)))
    assert out.shape == (1, 2, 8, 8)
    out[0, :, 4, 2].sum().backward()
    reached = tokens.grad[0].any(1).view(4, 4).nonzero().tolist()
    assert reached == [[1, 0], [1, 1], [2, 0], [2, 1]]


@every_kind
def test_heads_are_exported_for_any_number_of_samples(kind):
    target, _ = made(kind)

    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.target = target

        def forward(self, pooled, tokens, mask):
            return self.target.prediction(self.target(Representation(pooled, tokens, mask)))

    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = ({0: batch},) * 3
    exported = torch.export.export(Head(), tuple(representation(3)), dynamic_shapes=shapes).module()
    other = representation(7)
    torch.testing.assert_close(exported(*other), Head()(*other), atol=1e-5, rtol=1e-5)


@every_kind
def test_in_half_precision_loss_and_prediction_are_finite(kind):
    target, truth = made(kind)
    with torch.autocast("cpu", torch.bfloat16):
        output = target(representation(len(truth)))
        loss = target.loss(output, truth)
    assert loss.isfinite()
    assert target.prediction(output).isfinite().all()
    assert target.prediction(output).dtype == torch.float32


def specs(**extent):
    return {
        "lidar": ModalitySpec(name="lidar", kind="points", **extent),
        "map": ModalitySpec(name="map", kind="image", aligned=True, size=8, **extent),
        "ego": ModalitySpec(name="ego", kind="series", rate=10),
    }


@every_kind
def test_the_figure_shows_the_sensors_that_are_there(kind, tmp_path):
    target, truth = made(kind)
    with torch.no_grad():
        prediction = target.prediction(target(representation(len(truth))))
    given = specs(extent=(0, 32, -16, 16))
    inputs = {"map": torch.rand(len(truth), 1, 8, 8), "lidar": torch.rand(len(truth), 200, 3) * 16}
    inputs["lidar"][:, 150:] = float("nan")
    ids = [f"s{i}" for i in range(len(truth))]
    pictures = []
    for present in (True, False):
        presence = torch.full((len(truth), 3), present)
        target.draw(tmp_path, Scene(prediction, truth, ids, inputs, presence, given))
        pictures.append(np.asarray(Image.open(tmp_path / "y.png").convert("L")).astype(float))
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] < pictures[1]).mean() > 0.02  # darker where the map and the points are
    without = Scene(prediction, truth, ids, {}, torch.ones(len(truth), 3, dtype=torch.bool), given)
    target.draw(tmp_path, without)  # frozen encoders' modalities have no inputs at hand
