"""One image out of several."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
from PIL import Image

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.base import Scene
from crossfade.targets.fusion_quality import edge_transfer, ssim
from crossfade.targets.image_fusion import ImageFusion
from crossfade.training.module import compute_metrics

FIELDS = {"sources": ["ct", "mri"], "grid": 4, "size": 16}
SPEC = TargetSpec(name="one", kind="image_fusion", **FIELDS)
RNG = np.random.default_rng(0)
TRUTHS = [RNG.random((2, 16, 16), dtype=np.float32) for _ in range(3)]


def target(**fields):
    spec = TargetSpec(name="one", kind="image_fusion", **{**FIELDS, **fields})
    return make_target(spec, ImageFusion.fit(spec, TRUTHS), 8)


def encoded(truths):
    return ImageFusion.encode(SPEC, {"sources": ["ct", "mri"]}, truths)


def steepness(image):
    """Length of Sobel's gradient, the border repeated, over the sum of a kernel's positive weights, twice."""
    found = []
    for one in image.detach().numpy().astype(np.float64):
        padded = np.pad(one, 1, mode="edge")
        x, y = scipy.ndimage.sobel(padded, 1)[1:-1, 1:-1], scipy.ndimage.sobel(padded, 0)[1:-1, 1:-1]
        found.append(np.hypot(x, y) / 8)
    return torch.from_numpy(np.stack(found)).float()


def test_the_loss_is_the_weighted_sum_of_its_terms():
    output, truth = torch.randn(3, 16, 16), encoded(TRUTHS)
    fused = output.sigmoid()
    terms = {
        "structure": (((1 - ssim(fused, truth[:, 0])) ** 2 + (1 - ssim(fused, truth[:, 1])) ** 2) / 2).sqrt(),
        "edges": 1 - edge_transfer(fused, truth),
        "intensity": (fused - truth.max(1).values).abs().mean((1, 2)),
        "texture": (steepness(fused) - torch.maximum(steepness(truth[:, 0]), steepness(truth[:, 1])))
        .abs()
        .mean((1, 2)),
    }
    weights = {"structure": 0.7, "edges": 0.2, "intensity": 1.5, "texture": 2.5}
    wanted = sum(weights[name] * term.mean() for name, term in terms.items())
    torch.testing.assert_close(target(**weights).loss(output, truth), wanted)
    for name, term in terms.items():
        alone = dict.fromkeys(weights, 0.0) | {name: 1.0}
        torch.testing.assert_close(target(**alone).loss(output, truth), term.mean())


def test_metrics_name_their_sources_and_the_main_one_is_their_mean():
    prediction, truth = torch.rand(3, 16, 16), encoded(TRUTHS)
    found = compute_metrics(target(), prediction, truth)
    names = ["ssim", "ssim_ct", "ssim_mri", "mutual_information", "spatial_frequency", "qabf"]
    assert sorted(found) == sorted(names)
    assert found["ssim"] == pytest.approx((found["ssim_ct"] + found["ssim_mri"]) / 2, abs=1e-6)
    assert found["ssim_mri"] == pytest.approx(ssim(prediction, truth[:, 1]).mean().item(), abs=1e-6)


def test_references_are_average_and_maximum_and_a_copy_of_a_source_is_like_it():
    built, truth = target(), encoded(TRUTHS)
    rules = built.references(truth)
    torch.testing.assert_close(rules["average"], (truth[:, 0] + truth[:, 1]) / 2)
    torch.testing.assert_close(rules["maximum"], torch.maximum(truth[:, 0], truth[:, 1]))
    assert compute_metrics(built, truth[:, 0], truth)["ssim_ct"] == pytest.approx(1)


def test_chance_is_the_mean_image():
    built, truth = target(), encoded(TRUTHS)
    torch.testing.assert_close(built.chance(truth)[1], torch.tensor(np.stack(TRUTHS).mean((0, 1))))


def test_a_mixture_is_of_images():
    outputs = torch.randn(2, 3, 16, 16)
    weight = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    mixed = target().prediction(target().mix(outputs, weight))
    torch.testing.assert_close(mixed, (outputs.sigmoid() * weight[..., None, None]).sum(1))


def test_sources_of_another_size_are_resized():
    large = np.kron(TRUTHS[0], np.ones((1, 4, 4), np.float32))
    found = encoded([large])[0]
    assert found.shape == (2, 16, 16)
    np.testing.assert_allclose(found.mean((1, 2)), TRUTHS[0].mean((1, 2)), atol=0.01)
    assert np.corrcoef(found.flatten(), TRUTHS[0].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    "wrong", [TRUTHS[0][:1], TRUTHS[0][0], TRUTHS[0] * 2, -TRUTHS[0], np.full((2, 16, 16), np.nan, np.float32)]
)
def test_other_shapes_and_values_are_an_error(wrong):
    with pytest.raises(UserError, match=r"target.one: the source images of row 2 .*one each of ct, mri"):
        encoded([TRUTHS[0], wrong])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sources": None}, "name the images that are fused"),
        ({"sources": ["ct"]}, "at least two"),
        ({"size": 18}, "multiple of target.one.grid=4"),
        ({"size": 8}, "at least 11, the window of SSIM"),
    ],
)
def test_fields_that_do_not_fit_are_named(fields, words):
    with pytest.raises(UserError, match=words):
        target(**fields)


def test_the_table_holds_what_the_metrics_are_the_means_of():
    built, prediction = target(), torch.rand(3, 16, 16)
    truth = encoded([TRUTHS[0], None, TRUTHS[2]])
    table = built.columns(prediction.numpy(), truth.numpy())
    for metric, value in compute_metrics(built, prediction, truth).items():
        if metric != "spatial_frequency":
            assert table[f"one.{metric}"].isna().tolist() == [False, True, False]
            assert table[f"one.{metric}"].mean() == pytest.approx(value, rel=1e-5)
    assert list(built.columns(prediction.numpy(), None)) == ["one.spatial_frequency"]


def test_the_figure_shows_sources_rules_and_the_fused_image(tmp_path):
    built, truth = target(), encoded([None, *TRUTHS])
    fused = torch.zeros(4, 16, 16)
    built.draw(tmp_path, Scene(fused, truth, list("abcd"), {}, torch.zeros(0, 0, dtype=torch.bool), {}))
    image = np.asarray(Image.open(tmp_path / "one_images.png").convert("L"))
    shares = [(part < 3).mean() for part in np.array_split(image[image.shape[0] // 4 :], 5, axis=1)]
    assert shares[4] > 0.5 > max(shares[:4])  # the fused image, black here, is the last of five columns
    (tmp_path / "one_images.png").unlink()
    built.draw(tmp_path, Scene(fused[:1], truth[:1], ["a"], {}, torch.zeros(0, 0, dtype=torch.bool), {}))
    assert not list(tmp_path.iterdir())  # without a known sample there is nothing to show
