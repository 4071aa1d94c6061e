"""A class for every pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec
from crossfade.targets import make_target
from crossfade.targets.base import Scene
from crossfade.targets.segmentation import Segmentation
from crossfade.training.module import compute_metrics

FIELDS = {"classes": ["lesion", "vein"], "grid": 2, "size": 8, "spacing": 2.0, "critical": "vein", "margin": 2.0}
SPEC = TargetSpec(name="cut", kind="segmentation", **FIELDS)


def mask(lesion=(slice(0), slice(0)), vein=(slice(0), slice(0)), size=8):
    found = np.zeros((size, size), np.uint8)
    found[vein] = 2
    found[lesion] = 1
    return found


TRUTHS = [
    mask(np.s_[1:4, 1:4], np.s_[6, 0:8]),
    mask(np.s_[1:4, 2:5], np.s_[6, 2:8]),
    mask(np.s_[2:5, 1:4]),
]


def target(spec=SPEC, truths=TRUTHS):
    return make_target(spec, Segmentation.fit(spec, truths), 8)


def encoded(truths, spec=SPEC):
    return Segmentation.encode(spec, {"classes": spec.classes}, truths)


def certain(masks):
    return target()._certain(encoded(masks))


def test_loss_is_cross_entropy_plus_soft_dice_of_the_classes():
    rng = np.random.default_rng(0)
    output = rng.normal(size=(3, 3, 8, 8))
    p, t = softmax(output, 1), np.eye(3)[np.stack(TRUTHS)].transpose(0, 3, 1, 2)
    entropy = -(np.log(p) * t).sum(1).mean()
    both, one, two = ((x).sum((0, 2, 3))[1:] for x in (p * t, p, t))
    wanted = entropy + 1 - ((2 * both + 1) / (one + two + 1)).mean()
    found = target().loss(torch.tensor(output, dtype=torch.float32), encoded(TRUTHS))
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_metrics_of_masks_that_can_be_counted():
    """Lesion 9 pixels, moved by one column: 6 in common. The vein lies 3 rows below it; 2 mm reach 1 pixel."""
    prediction = certain([mask(np.s_[1:4, 2:5], np.s_[6, 0:8]), TRUTHS[1]])
    found = compute_metrics(target(), prediction, encoded(TRUTHS[:2]))
    assert found == pytest.approx(
        {
            "dice": ((2 / 3 + 1) / 2 + 1) / 2,
            "dice_lesion": (2 / 3 + 1) / 2,
            "dice_vein": 1.0,
            "hd95_mm_lesion": 1.0,  # 2 mm in the first, 0 in the second
            "hd95_mm_vein": 0.0,
            "critical_touched": 0.0,
            "missed_lesions": 0.0,
        }
    )
    near = certain([mask(np.s_[3:6, 2:5], np.s_[6, 0:8])])
    assert compute_metrics(target(), near, encoded(TRUTHS[:1]))["critical_touched"] == pytest.approx(3 / 8)


def test_a_class_that_is_neither_there_nor_predicted_does_not_count():
    found = compute_metrics(target(), certain([TRUTHS[2]]), encoded([TRUTHS[2]]))
    assert found["dice"] == 1
    assert np.isnan(found["dice_vein"])
    assert np.isnan(found["hd95_mm_vein"])
    assert np.isnan(found["critical_touched"])
    alarm = compute_metrics(target(), certain([TRUTHS[0]]), encoded([TRUTHS[2]]))
    assert alarm["dice_vein"] == 0
    assert alarm["hd95_mm_vein"] == pytest.approx(16 * np.sqrt(2))


def test_false_alarms_are_counted_where_the_training_split_has_samples_without_a_lesion():
    healthy = mask(vein=np.s_[6, 0:8])
    built = target(truths=[*TRUTHS, healthy])
    prediction, truth = certain([healthy, TRUTHS[0], mask()]), encoded([healthy, healthy, TRUTHS[0]])
    found = compute_metrics(built, prediction, truth)
    assert found["false_alarms"] == 0.5
    assert found["missed_lesions"] == 1
    assert "false_alarms" not in compute_metrics(target(), prediction, truth)


def test_one_class_has_one_dice_and_no_critical_structure():
    spec = TargetSpec(name="cut", kind="segmentation", classes=["tumour"], grid=2, size=8)
    built = target(spec, [mask(np.s_[1:4, 1:4])])
    names = ["dice", "hd95_mm", "missed_lesions"]
    assert sorted(compute_metrics(built, built.chance(encoded(TRUTHS[2:], spec)), encoded(TRUTHS[2:], spec))) == names


def test_less_is_better_of_distances_and_of_what_goes_wrong():
    wanted = {"dice": "max", "dice_vein": "max", "hd95_mm_lesion": "min", "critical_touched": "min"}
    assert {name: Segmentation.direction(name) for name in wanted} == wanted


def test_chance_is_the_place_where_a_class_usually_is():
    guess = target().chance(encoded(TRUTHS[:2]))
    assert guess.shape == (2, 3, 8, 8)
    usual = guess[0].argmax(0).numpy()
    assert (usual[2:4, 2:4] == 1).all()  # in all three
    assert (usual[6, 2:] == 2).all()
    assert not usual[[0, 5, 7]].any()


def test_references_are_the_truth_itself():
    found = target().references(encoded(TRUTHS))
    assert compute_metrics(target(), found["true outline"], encoded(TRUTHS))["dice"] == 1


def test_masks_of_another_size_keep_the_class_that_covers_most_of_a_pixel():
    large = mask(np.s_[0:20, 0:20], np.s_[24:32, 0:32], size=32)
    small = encoded([large])[0].numpy()
    wanted = mask(np.s_[0:5, 0:5], np.s_[6:8, 0:8])
    assert (small == wanted).all()


def test_unknown_masks_are_minus_one():
    assert (encoded([None, TRUTHS[0]])[0] == -1).all()


@pytest.mark.parametrize("wrong", [np.full((8, 8), 3), np.zeros((8, 8, 3)), np.full((8, 8), 0.5), np.full((8, 8), -1)])
def test_masks_with_other_values_or_shapes_are_an_error(wrong):
    with pytest.raises(UserError, match=r"target.cut: the mask of row 2 .* 1 to 2 for lesion, vein"):
        encoded([TRUTHS[0], wrong])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"classes": None}, "name what 1, 2"),
        ({"lesion": "tumour"}, "target.cut.lesion=tumour: not among"),
        ({"critical": "artery"}, "target.cut.critical=artery: not among"),
        ({"size": 9}, "multiple of target.cut.grid=2"),
        ({"classes": ["lesion", "vein", "bone"]}, "no mask of the training split holds 'bone'"),
    ],
)
def test_fields_that_do_not_fit_are_named(fields, words):
    spec = TargetSpec(name="cut", kind="segmentation", **{**FIELDS, **fields})
    with pytest.raises(UserError, match=words):
        Segmentation.fit(spec, TRUTHS)


def test_a_mixture_is_of_probabilities():
    outputs = torch.randn(2, 2, 3, 8, 8)
    weight = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    mixed = target().prediction(target().mix(outputs, weight))
    torch.testing.assert_close(mixed, (outputs.softmax(2) * weight[..., None, None, None]).sum(1))


def test_the_table_holds_areas_in_square_millimetres():
    prediction = certain([TRUTHS[1], TRUTHS[0]]).numpy()
    table = target().columns(prediction, encoded([TRUTHS[0], None]).numpy())
    assert table["cut.area(lesion)"].tolist() == [36, 36]
    assert table["cut.true_area(vein)"][0] == 32
    assert table["cut.dice(lesion)"][0] == pytest.approx(2 / 3)
    assert table.loc[1, [c for c in table if "true" in c or "dice" in c or "hd95" in c]].isna().all()
    assert list(target().columns(prediction, None)) == ["cut.area(lesion)", "cut.area(vein)"]


def test_the_overlay_shows_each_image_of_the_plane(tmp_path):
    built, truth = target(), encoded(TRUTHS)
    specs = {
        "ct": ModalitySpec(name="ct", kind="image", size=8, aligned=True),
        "mri": ModalitySpec(name="mri", kind="image", channels=2, size=8, aligned=True),
        "note": ModalitySpec(name="note", kind="text"),
    }
    inputs = {"ct": torch.rand(3, 1, 8, 8), "mri": torch.rand(3, 2, 8, 8), "note": torch.zeros(3, 4)}
    presence = torch.tensor([[True, True, True], [False, True, True], [True, True, True]])
    built.draw(tmp_path, Scene(certain(TRUTHS), truth, ["a", "b", "c"], inputs, presence, specs))
    one = np.asarray(Image.open(tmp_path / "cut_overlay.png").convert("RGB"))
    built.draw(tmp_path, Scene(certain(TRUTHS), truth, ["a", "b", "c"], {}, presence[:, :0], {}))
    none = np.asarray(Image.open(tmp_path / "cut_overlay.png").convert("RGB"))
    assert one.shape[1] > none.shape[1]  # three columns of images, or one of outlines alone
    colours = {tuple(c) for c in one.reshape(-1, 3)}
    assert {(255, 90, 79), (53, 182, 255)} <= colours


def test_a_token_speaks_for_its_own_place():
    built = target().eval()
    tokens = torch.randn(1, 4, 8)
    mask_ = torch.ones(1, 4, dtype=torch.bool)
    out = built(Representation(tokens.mean(1), tokens, mask_))
    other = tokens.clone()
    other[:, 3] += 1  # the lower right
    moved = built(Representation(other.mean(1), other, mask_))
    assert torch.equal(out[..., 0, 0], moved[..., 0, 0])
    assert not torch.equal(out[..., 7, 7], moved[..., 7, 7])
