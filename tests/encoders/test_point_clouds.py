"""Point clouds: the order of points cannot matter, padding cannot, cells get their own points."""

from __future__ import annotations

import pytest
import torch

import tiny
from crossfade.encoders.pillars import Pillars
from crossfade.encoders.pointnet import PointNet
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

NAN = float("nan")
OPTIONS = tiny.options("encoder/points")
every_option = pytest.mark.parametrize("option", OPTIONS)
with_or_without_grid = pytest.mark.parametrize("grid", [None, 4])


def encoder(option, grid=None, **fields):
    return tiny.encoder("lidar", option=option, **({} if grid is None else {"grid": grid}), **fields).eval()


def encode(made, x):
    with torch.no_grad():
        return made(x)[0]


def cloud(*points):
    return torch.tensor(points, dtype=torch.float32)[None]


@every_option
@with_or_without_grid
def test_order_and_padding_do_not_matter(option, grid):
    made = encoder(option, grid)
    x = torch.randn(3, 9, 4)
    order = torch.randperm(9)
    padded = torch.cat([x[:, order], torch.full((3, 4, 4), NAN)], 1)
    torch.testing.assert_close(encode(made, padded), encode(made, x), atol=1e-5, rtol=1e-5)


@every_option
@with_or_without_grid
def test_a_cloud_without_a_point_is_finite_and_trains(option, grid):
    made = encoder(option, grid).train()
    x = torch.full((2, 12, 4), NAN)
    x[1, :3] = torch.rand(3, 4)
    tokens, mask = made(x)
    assert tokens.isfinite().all()
    assert mask.any(1).all()
    tokens.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())
    assert made.nothing.grad.any()


@every_option
def test_a_grid_has_a_token_a_cell_row_by_row(option):
    """A point moves the tokens around its cell: row 0 is farthest ahead (x), column 0 leftmost (y)."""
    made = encoder(option, 4, layers=1) if option == "pointnet" else encoder(option, 4, layers=0)
    nothing = encode(made, torch.full((1, 1, 4), NAN))[0]
    for x, y, row, column in ((1.9, 1.9, 0, 0), (1.9, -1.9, 0, 3), (-1.9, 1.9, 3, 0), (0.5, -0.5, 1, 2)):
        tokens = encode(made, cloud([x, y, 0, 0]))[0]
        width = tokens.shape[1] // 2 if option == "pointnet" else tokens.shape[1]  # beside it: the whole cloud's
        changed = (tokens != nothing)[:, :width].any(1).reshape(4, 4)
        assert changed.nonzero().tolist() == [[row, column]]


@every_option
def test_points_beyond_the_plane_are_not_placed_in_it(option):
    made = encoder(option, 4)
    near, far = cloud([0.5, 0.5, 0, 0], [NAN] * 4), cloud([0.5, 0.5, 0, 0], [9.0, 0.5, 0, 0])
    torch.testing.assert_close(encode(made, near), encode(made, far))


@every_option
def test_an_aligned_cloud_needs_its_extent(option):
    spec = ModalitySpec(name="lidar", kind="points")
    with pytest.raises(UserError, match=r"modality\.lidar\.extent: to place its points on the target's grid"):
        tiny.made(tiny.part("encoder/points", option), spec=spec, fitted=tiny.FITTED["lidar"], grid=4)


def test_without_an_extent_pillars_stand_on_what_the_training_split_covers():
    made = Pillars(ModalitySpec(name="lidar", kind="points"), tiny.FITTED["lidar"], cells=4, fine=1, layers=0)
    assert made.plane.extent == pytest.approx((-2, 2, -2, 2), abs=0.01)
    at_the_edge = cloud([2.0, 2.0, 0, 0])
    assert not torch.equal(encode(made, at_the_edge), encode(made, torch.full((1, 1, 4), NAN)))


def test_pointnet_by_hand():
    """max_n MLP(p_n), the box scaled to [−1, 1]."""
    made = PointNet(tiny.SPECS["lidar"], tiny.FITTED["lidar"], hidden=8, layers=1).eval()
    x = torch.randn(2, 6, 4)
    x[1, 4:] = NAN
    scaled = x.clone()
    scaled[..., :3] /= torch.tensor([2.0, 2.0, 1.0])
    expected = [made.each(scaled[0]).amax(0), made.each(scaled[1, :4]).amax(0)]
    torch.testing.assert_close(made(x)[0][:, 0], torch.stack(expected))
    assert torch.equal(made(torch.full((1, 3, 4), NAN))[0][0, 0], made.nothing)


def test_a_pillar_by_hand():
    """Two points of one pillar: own values, place in the pillar, distance from their mean, and their number."""
    made = Pillars(tiny.SPECS["lidar"], tiny.FITTED["lidar"], cells=2, fine=1, hidden=8, layers=0, pool="none").eval()
    made.coarse = torch.nn.Identity()
    tokens = encode(made, cloud([1.5, 0.5, 0.2, 3.0], [0.5, 1.0, -0.2, 5.0], [-1.0, -1.0, 0, 0]))[0]
    # x, y over 2 m and z over 1 m; row (2 − x)/2 and column (2 − y)/2 within the pillar, from −1 to 1
    about = [
        [0.75, 0.25, 0.2, -0.5, 0.5, 0.5, -0.25, 0.2, 3.0],
        [0.25, 0.5, -0.2, 0.5, 0.0, -0.5, 0.25, -0.2, 5.0],
    ]
    two = made.number.weight[:, 0] * torch.tensor(3.0).log()
    torch.testing.assert_close(tokens[0], made.each(torch.tensor(about)).amax(0) + two, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tokens[1], made.nothing)


@every_option
@with_or_without_grid
def test_encoders_run_stacked_and_exported(option, grid):
    made, other = encoder(option, grid), encoder(option, grid, seed=1)
    x = tiny.inputs(("lidar",), 5)["lidar"]
    parameters, buffers = torch.func.stack_module_state([made, other])
    out = torch.vmap(lambda p, b: torch.func.functional_call(made, (p, b), (x,))[0])(parameters, buffers)
    torch.testing.assert_close(out[1], other(x)[0], atol=1e-5, rtol=1e-5)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(made, (x,), dynamic_shapes=({0: batch},)).module()
    y = tiny.inputs(("lidar",), 7, seed=1)["lidar"]
    torch.testing.assert_close(exported(y)[0], made(y)[0], atol=1e-5, rtol=1e-5)
