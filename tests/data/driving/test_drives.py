"""The built-in drives as a source: determinism, presence, groups, knobs, cache."""

import numpy as np
import pytest

from crossfade.data.driving import camera, names, synthetic
from crossfade.data.driving.names import MODALITIES
from crossfade.data.driving.synthetic import SyntheticDrives
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

EXTENT = (0, 40, -20, 20)
SPECS = {
    "camera": ModalitySpec(kind="image", channels=3, size=32),
    "lidar": ModalitySpec(kind="points", channels=4, extent=EXTENT),
    "radar": ModalitySpec(kind="points", channels=5, extent=EXTENT),
    "map": ModalitySpec(kind="image", channels=4, size=20, extent=EXTENT),
    "ego": ModalitySpec(kind="series", rate=10),
}
TARGETS = {
    "presence": TargetSpec(name="presence", kind="multilabel"),
    "intention": TargetSpec(name="intention", kind="multiclass"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "driving"


def source(modalities=MODALITIES, seed=0, targets=TARGETS, **fields):
    fields = {"samples": 8, "cache": False, **fields}
    return SyntheticDrives({n: SPECS[n] for n in modalities}, targets, seed, **fields)


def same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert np.array_equal(value, b[name]), name


@pytest.fixture(scope="module")
def eight():
    built = source()
    return built, [built.read(i) for i in range(8)]


def test_values_have_the_shapes_types_and_ranges_of_the_contract(eight):
    for sample in eight[1]:
        assert list(sample) == list(MODALITIES)
        assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in sample.values())
        assert sample["camera"].shape == (3, 32, 32)
        assert sample["map"].shape == (4, 20, 20)
        assert sample["ego"].shape == (20, 3)
        for name in ("camera", "map"):
            assert 0 <= sample[name].min() < sample[name].max() <= 1
        for name, columns in (("lidar", 4), ("radar", 5)):
            points = sample[name]
            assert points.ndim == 2
            assert points.shape[1] == columns
            assert ((points[:, 0] >= 0) & (points[:, 0] < 40) & (np.abs(points[:, 1]) <= 20)).all()
        assert 0 <= sample["lidar"][:, 3].min() <= sample["lidar"][:, 3].max() <= 1
        assert (sample["ego"][:, 0] > -0.5).all()


def test_a_sample_depends_on_seed_drive_and_frame_alone(eight):
    built, samples = eight
    many = source(samples=260)  # 130 drives: three blocks
    for i in (5, 0, 7):
        same(many.read(i), samples[i])
    assert all(many.frame().truth[t][:8] == list(built.frame().truth[t]) for t in TARGETS)
    three = source(samples=12, frames=3)  # drive 1 begins at another place of the table
    assert (three.frame().ids[4], built.frame().ids[3]) == ("D00001-1", "D00001-1")
    same(three.read(4), samples[3])
    assert not np.array_equal(source(seed=1).read(0)["lidar"], samples[0]["lidar"])


@pytest.mark.parametrize("name", MODALITIES)
def test_a_modality_does_not_depend_on_which_others_are_rendered(eight, name):
    same(source((name,)).read(3), {name: eight[1][3][name]})


def test_groups_are_drives_and_their_frames_stand_together():
    frame = source(("ego",), samples=7, frames=3).frame()
    assert frame.ids == ["D00000-0", "D00000-1", "D00000-2", "D00001-0", "D00001-1", "D00001-2", "D00002-0"]
    assert [g[-1] for g in frame.groups] == ["0", "0", "0", "1", "1", "1", "2"]
    assert frame.split is None


def test_missing_rates_hold_and_no_sample_lacks_everything():
    built = source(("map", "camera", "ego"), samples=3000, missing={"camera": 0.6, "ego": 0.3}, targets={})
    present = built.frame().present
    assert present.any(1).all()
    assert np.abs(present.mean(0) - [1.0, 0.4, 0.7]).max() < 4 * np.sqrt(0.25 / 3000)


def test_an_absent_modality_is_left_out_of_the_sample():
    built = source(("ego", "radar"), samples=20, missing=0.5)
    present = built.frame().present
    assert not present.all()
    for i in range(20):
        assert list(built.read(i)) == [n for n, p in zip(("ego", "radar"), present[i], strict=True) if p]
    assert "ego" not in built.read(0, without=["ego"])


def test_without_informativeness_a_modality_shows_other_drives_and_the_truth_stays():
    true, blind, half = (source(("ego",), samples=128, frames=1, informativeness=x) for x in (1, 0, 0.5))
    assert list(true.frame().truth["intention"]) == list(blind.frame().truth["intention"])
    kept = np.array([np.array_equal(true.read(i)["ego"], half.read(i)["ego"]) for i in range(128)])
    assert pytest.approx(kept.mean(), abs=4 * np.sqrt(0.25 / 128)) == 0.5
    speeds = [np.array([s.read(i)["ego"][-1, 0] for i in range(128)]) for s in (true, blind)]
    assert abs(np.corrcoef(*speeds)[0, 1]) < 4 / np.sqrt(128)
    assert any(np.array_equal(blind.read(i)["ego"], half.read(i)["ego"]) for i in np.flatnonzero(~kept))


def test_noise_scales_and_zero_noise_is_the_physics_alone():
    clean, once, twice = (source(("ego",), samples=128, noise=x) for x in (0, 1, 2))
    error = [np.stack([s.read(i)["ego"] - clean.read(i)["ego"] for i in range(128)]) for s in (once, twice)]
    assert np.allclose(error[1], 2 * error[0], atol=1e-5)
    assert error[0].std((0, 1)) == pytest.approx([0.1, 0.01, 0.15], rel=0.1)


def test_the_shares_of_weather_hold():
    built = source(("ego",), samples=600, frames=1, targets={}, rain=0.4, fog=0.1, night=0.3)
    weathers = [built.worlds().block(np.arange(k, k + 64)).weather for k in range(0, 576, 64)]
    rain = np.concatenate([w.rain for w in weathers])
    light = np.concatenate([w.light for w in weathers])
    assert (rain > 0).mean() == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 576))
    assert (light < 0.1).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 576))
    dry = source(("ego",), samples=64, frames=1, targets={}, rain=0, fog=0, night=0).worlds().block(np.arange(64))
    assert dry.weather.rain.max() == 0
    assert dry.weather.extinction.max() < 4e-4
    assert dry.weather.light.min() >= 0.5


def test_the_cache_returns_what_was_rendered(cache, monkeypatch):
    first = [source(cache=True).read(i) for i in (0, 7)]
    assert sorted(p.name.split("-")[0] for p in cache.iterdir()) == sorted([*MODALITIES, "world"])
    monkeypatch.setattr(camera, "render", lambda *a: pytest.fail("rendered although cached"))
    monkeypatch.setattr(synthetic.lidar, "scan", lambda *a: pytest.fail("scanned although cached"))
    for i, sample in zip((0, 7), first, strict=True):
        same(source(cache=True).read(i), sample)
        same(source(("radar", "camera"), cache=True).read(i), {n: sample[n] for n in ("radar", "camera")})


def test_a_broken_cache_is_rebuilt(cache, caplog):
    first = source(("radar",), cache=True).read(3)
    (path,) = cache.glob("radar-*")
    path.write_bytes(path.read_bytes()[:200])
    same(source(("radar",), cache=True).read(3), first)
    assert "made anew" in caplog.text


def test_the_fingerprint_tells_apart_what_differs_and_nothing_else():
    base = source(("lidar",))
    assert base.fingerprint() == source(("lidar",), cache=True).fingerprint()
    moved = SyntheticDrives({"lidar": SPECS["lidar"].model_copy(update={"extent": (0, 30, -20, 20)})}, TARGETS, 0, 8)
    others = [
        source(("lidar", "ego")), source(("lidar",), seed=1), source(("lidar",), samples=9), source(("lidar",), rain=0),
        source(("lidar",), noise=2), source(("lidar",), missing=0.1), source(("lidar",), informativeness=0.5),
        source(("lidar",), frames=1), source(("lidar",), targets={}), moved,
    ]  # fmt: skip
    assert len({base.fingerprint(), *(o.fingerprint() for o in others)}) == 11


def test_nobody_knows_the_bound_and_unknown_modalities_are_named():
    built = source(("ego", "map"))
    assert built.bayes("intention", ["ego"]) is None
    with pytest.raises(UserError, match="radar"):
        built.bayes("intention", ["radar"])
    with pytest.raises(IndexError, match="no sample 8"):
        built.read(8)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"noise": {"lydar": 1}}, ["data.source.noise.lydar", 'Did you mean "lidar"?']),
        ({"informativeness": 1.5}, ["data.source.informativeness=1.5", "[0, 1]"]),
        ({"missing": 1.0}, ["data.source.missing=1.0", "[0, 1)"]),
        ({"frames": 0}, ["data.source.frames=0", "1 to 4"]),
        ({"frames": 5}, ["data.source.frames=5"]),
        ({"rain": 1.2, "fog": "thick"}, ["data.source.rain=1.2", "data.source.fog='thick'"]),
        ({"samples": 0}, ["data.source.samples=0"]),
        ({"modalities": {"sonar": SPECS["radar"]}}, ["no 'sonar'", "camera, lidar, radar, map, ego"]),
        ({"modalities": {"map": ModalitySpec(kind="image", channels=3)}}, ["modality.map.channels=3", "must be 4"]),
        ({"modalities": {"lidar": ModalitySpec(kind="image")}}, ["modality.lidar.kind=image", "must be points"]),
        ({"modalities": {"ego": ModalitySpec(kind="series", rate=20)}}, ["modality.ego.rate=20", "10 Hz"]),
        ({"modalities": {"camera": ModalitySpec(kind="image", channels=3, unit="HU")}}, ["modality.camera.unit='HU'"]),
        ({"targets": {"presense": TARGETS["presence"]}}, ['Did you mean "presence"?']),
        ({"targets": {"intention": TargetSpec(name="intention", kind="multiclass", classes=["clear", "fast"])}},
         ["target.intention.classes", "crossing"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(fields, words):
    given = {"modalities": {"ego": SPECS["ego"]}, "targets": {}, "seed": 0, **fields}
    with pytest.raises(UserError) as fault:
        SyntheticDrives(**given)
    for word in words:
        assert word in str(fault.value)


def test_every_word_of_an_intention_occurs():
    built = source(("ego",), samples=256, frames=2)
    labels = built.frame().truth["intention"]
    assert {labels.count(w) > 0.04 * 256 for w in names.INTENTIONS} == {True}
    assert set(labels) == set(names.INTENTIONS)
