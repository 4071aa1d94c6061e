"""From the tokens of a grid to a map of pixels."""

from __future__ import annotations

import pytest
import torch

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets.decoder import GridDecoder, check_size


def representation(tokens, mask=None):
    mask = torch.ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
    return Representation(tokens.mean(1), tokens, mask)


@pytest.mark.parametrize(("grid", "size", "reach"), [(4, 16, 2), (4, 32, 4), (4, 20, 2), (3, 3, 2)])
def test_a_token_is_seen_in_its_cell_and_just_around(grid, size, reach):
    """Row by row from the top left; two convolutions reach two pixels, at half the size four."""
    torch.manual_seed(0)
    decoder = GridDecoder(8, grid, size, 2).eval()
    tokens = torch.randn(1, grid * grid, 8, requires_grad=True)
    out = decoder(representation(tokens))
    assert out.shape == (1, 2, size, size)
    row, column = 1, grid - 1
    moved = tokens.detach().clone()
    moved[:, row * grid + column] = torch.randn(8)
    changed = (decoder(representation(moved)) != out).any(1)[0]
    scale = size // grid
    allowed = torch.zeros_like(changed)
    allowed[max(0, row * scale - reach) : (row + 1) * scale + reach, max(0, column * scale - reach) :] = True
    assert changed[row * scale : (row + 1) * scale, column * scale :].all()
    assert not changed[~allowed].any()


def test_tokens_of_several_modalities_are_averaged_over_those_that_count():
    torch.manual_seed(0)
    decoder = GridDecoder(8, 3, 6, 1).eval()
    one, other = torch.randn(2, 9, 8), torch.randn(2, 9, 8)
    both = torch.cat([one, other], 1)
    torch.testing.assert_close(decoder(representation(both)), decoder(representation((one + other) / 2)))
    mask = torch.ones(2, 18, dtype=torch.bool)
    mask[:, 9:] = False
    torch.testing.assert_close(decoder(representation(both, mask)), decoder(representation(one)))


def test_a_size_that_is_no_multiple_of_the_grid_is_an_error_that_names_one():
    with pytest.raises(UserError, match=r"target.y.size=50: must be a multiple of target.y.grid=12, such as 48"):
        check_size(TargetSpec(name="y", kind="segmentation", size=50, grid=12))
