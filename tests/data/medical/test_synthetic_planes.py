"""The dense truths of the built-in patients: masks in the slice's geometry, and the images that are fused."""

from __future__ import annotations

import numpy as np
import pytest

from crossfade.data.medical import anatomy, ct, mri, planes
from crossfade.data.medical.draws import generators
from crossfade.data.medical.synthetic import SyntheticPatients
from crossfade.data.synthetic.draws import Uniforms
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

SPECS = {
    "ct": ModalitySpec(kind="image", size=24),
    "mri": ModalitySpec(kind="image", channels=2, size=24),
    "note": ModalitySpec(kind="text"),
}
MASK = {"kind": "segmentation", "classes": ["lesion", "vein"], "size": 32, "spacing": anatomy.FIELD_MM / 32}
ONE = {"kind": "image_fusion", "sources": ["ct", "mri"], "size": 24}
TARGETS = {"guidance": TargetSpec(name="guidance", **MASK), "image_fusion": TargetSpec(name="image_fusion", **ONE)}
COUNT = 12


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "medical"


def source(names=("ct", "mri", "note"), targets=None, seed=0, **fields):
    return SyntheticPatients({n: SPECS[n] for n in names}, targets or TARGETS, seed, samples=COUNT, **fields)


def truths(built, target):
    return [t if t is None else t() for t in built.frame().truth[target]]


def lesions():
    indices = np.arange(COUNT)
    return anatomy.draw_lesion(Uniforms(generators(0, indices, "anatomy"), anatomy.ANATOMY_UNIFORMS))


def test_a_lesion_lies_where_the_anatomy_has_it_with_its_area():
    """Those within the liver: ½ ∫ r² (1 + d cos 3θ + d sin 5θ)² dθ = π r² (1 + d²), and the centre that was drawn."""
    size = 124
    lesion, mm = lesions(), anatomy.FIELD_MM / size
    found = planes.masks(0, np.arange(COUNT), size) == 1
    axis = (np.arange(size) + 0.5) * mm - anatomy.FIELD_MM / 2
    area = found.sum((1, 2)) * mm**2
    round_ = np.pi * lesion.radius**2 * (1 + lesion.lobes**2)
    inside = area > 0.97 * round_
    assert inside.sum() >= 4  # the others reach beyond the liver
    np.testing.assert_allclose(area[inside], round_[inside], rtol=0.03)
    assert (area < 1.03 * round_).all()
    for i in np.flatnonzero(inside):
        rows, columns = np.nonzero(found[i])
        assert abs(axis[columns].mean() - lesion.x[i]) < mm
        assert abs(axis[rows].mean() - lesion.y[i]) < mm


def test_masks_of_any_size_show_the_same_place():
    coarse, fine = (planes.masks(0, np.arange(COUNT), size) for size in (31, 124))
    for k in (1, 2):
        share = (fine == k).reshape(COUNT, 31, 4, 31, 4).mean((2, 4))
        assert (share[coarse == k] > 0).mean() > 0.98
    assert (coarse == 1)[(fine == 1).reshape(COUNT, 31, 4, 31, 4).all((2, 4))].mean() > 0.98


def test_the_vein_is_one_branch_of_several_pixels_in_the_liver_beside_the_lesion():
    scene = anatomy.axial_slice(Uniforms(generators(0, np.arange(60), "anatomy"), anatomy.ANATOMY_UNIFORMS), 48)
    found = planes.masks(0, np.arange(60), 48) == 2
    assert [layer.tissue for layer in scene.layers if layer.name == "vein"] == ["portal"]
    assert (scene.liver[found] > 0.4).all()
    assert (scene.r[found] > 1).all()
    widest = np.maximum(found.sum(1).max(1), found.sum(2).max(1))
    assert (widest >= 3).mean() > 0.9
    assert found.mean(0).max() < 0.25  # no place that an atlas could tell


def test_the_vein_stands_out_on_ct_and_not_on_mri():
    """Its mean over the liver's, where nothing else is painted; CT before it is scanned, T2 without noise."""
    count = 40
    indices, pattern = np.arange(count), np.zeros(count, int)
    scene = anatomy.axial_slice(Uniforms(generators(0, indices, "anatomy"), anatomy.ANATOMY_UNIFORMS), 96)
    images = {
        "ct": ct.attenuation(scene, pattern, generators(0, indices, "ct")) + 1000,  # 0: no attenuation
        "mri": mri.render(scene, pattern, 0.0, generators(0, indices, "mri"))[:, 1],
    }
    names = [layer.name or layer.tissue for layer in scene.layers]
    vein, bare = np.zeros(scene.r.shape), (scene.liver == 1) & (scene.r > 1.2)
    for layer in scene.layers[names.index("liver") + 1 :]:
        if layer.name == "vein":
            vein[layer.window] = layer.mask
        else:
            bare[layer.window] &= layer.mask == 0
    seen = (bare & (vein == 1)).any((1, 2))
    assert seen.mean() > 0.8
    contrast = {
        name: np.array([image[i][bare[i] & (vein[i] == 1)].mean() / image[i][bare[i] & (vein[i] == 0)].mean() - 1
            for i in np.flatnonzero(seen)])
        for name, image in images.items()
    }  # fmt: skip
    # (175 ± 10 − 112 ± 7) / 1112 HU; of T2's exp(−90 / 46) two draws of ± 5 % leave some, the coil's shading more
    assert ((contrast["ct"] > 46 / 1119 - 1e-3) & (contrast["ct"] < 80 / 1105 + 1e-3)).all()
    assert abs(np.median(contrast["mri"])) < 0.1


def test_masks_are_read_when_asked_for_and_kept_for_the_next_run(cache):
    built = source()
    built.frame()
    assert not cache.exists()
    first = truths(built, "guidance")
    assert first[0].dtype == np.uint8
    assert first[0].shape == (32, 32)
    assert {path.name.split("-")[0] for path in cache.iterdir()} == {"guidance"}
    assert all(np.array_equal(a, b) for a, b in zip(first, truths(source(), "guidance"), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(first, truths(source(cache=False), "guidance"), strict=True))
    assert not np.array_equal(first[0], truths(source(seed=1), "guidance")[0])


def test_the_fused_images_sources_are_the_images_that_the_model_sees():
    built = source()
    for i, pair in enumerate(truths(built, "image_fusion")):
        seen = built.read(i)
        assert pair.dtype == np.float32
        np.testing.assert_allclose(pair[0], np.clip((seen["ct"][0] + 160) / 400, 0, 1), atol=1e-6)
        np.testing.assert_allclose(pair[1], np.clip(seen["mri"][1] / 0.5, 0, 1), atol=1e-6)


def test_they_are_the_same_where_the_run_sees_only_words():
    both, alone = source(), source(("note",))
    assert list(alone.read(0)) == ["note"]
    for a, b in zip(truths(both, "image_fusion"), truths(alone, "image_fusion"), strict=True):
        assert np.array_equal(a, b)


def test_without_one_of_the_sources_there_is_nothing_to_compare_with():
    built = source(missing={"ct": 0.5})
    present = built.frame().present[:, 0]
    assert present.tolist() == [t is not None for t in built.frame().truth["image_fusion"]]
    assert 0 < present.sum() < COUNT
    assert all(t is not None for t in built.frame().truth["guidance"])


@pytest.mark.parametrize(
    ("target", "fields", "words"),
    [
        ("guidance", {"spacing": 1.0}, r"target.guidance.spacing=1.0: .*must be 9.688 mm"),
        ("guidance", {"classes": ["tumour"]}, r"the masks hold \['lesion', 'vein'\]"),
        ("image_fusion", {"sources": ["mri", "ct"]}, r"they must be \['ct', 'mri'\]"),
        ("image_fusion", {"size": 48}, r"target.image_fusion.size=48: must be modality.ct.size=24"),
        ("guidance", {"kind": "multiclass"}, r"target.guidance.kind=multiclass: it must be segmentation"),
    ],
)
def test_what_does_not_go_with_the_patients_is_named(target, fields, words):
    given = {"guidance": MASK, "image_fusion": ONE}[target]
    with pytest.raises(UserError, match=words):
        source(targets={target: TargetSpec(name=target, **{**given, **fields})})
