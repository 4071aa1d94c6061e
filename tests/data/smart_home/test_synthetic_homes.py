"""The built-in households as a source: determinism, presence, truth, knobs, cache, and what is refused."""

import numpy as np
import pytest

from crossfade.data.smart_home import audio, rendering
from crossfade.data.smart_home.names import EVENTS, MODALITIES
from crossfade.data.smart_home.synthetic import SyntheticHouseholds
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

SPECS = {
    "audio": ModalitySpec(kind="audio", rate=16000),
    "transcript": ModalitySpec(kind="text"),
    "camera": ModalitySpec(kind="image", channels=4, size=16),
    **{name: ModalitySpec(kind="series") for name in ("motion", "climate", "power", "weather")},
}
TARGETS = {
    "command": TargetSpec(kind="slots"),
    "security": TargetSpec(kind="multiclass"),
    "intrusion": TargetSpec(kind="alarm"),
    "energy": TargetSpec(kind="forecast"),
}
QUICK = ("transcript", "camera", "motion", "climate", "power", "weather")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "smart_home"


def source(names=MODALITIES, seed=0, targets=TARGETS, **fields):
    fields = {"samples": 14, **fields}
    return SyntheticHouseholds({n: SPECS[n] for n in names}, targets, seed, **fields)


def same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        equal = np.array_equal(value, b[name], equal_nan=True) if isinstance(value, np.ndarray) else value == b[name]
        assert equal, name


def test_values_have_the_shapes_types_and_ranges_of_the_contract():
    sample = source(samples=6).read(1)
    assert list(sample) == list(MODALITIES)
    shapes = {"audio": (25600,), "camera": (4, 16, 16), "motion": (48, 10), "climate": (48, 4), "power": (48, 2),
              "weather": (72, 5)}  # fmt: skip
    for name, shape in shapes.items():
        assert sample[name].shape == shape
        assert sample[name].dtype == np.float32
    assert np.abs(sample["audio"]).max() <= 1
    assert 0 <= sample["camera"].min() < sample["camera"].max() <= 1
    assert sample["transcript"].strip()


def test_a_sample_depends_on_seed_and_place_alone():
    many, few = source(samples=14, cache=False), source(samples=3, cache=False)
    for index in (2, 0, 1):  # in another order, too
        same(few.read(index), many.read(index))
    assert many.frame().ids[:3] == few.frame().ids
    for target in ("command", "security"):
        assert many.frame().truth[target][:3] == few.frame().truth[target]
    other = source(("audio", "transcript", "power"), samples=3, seed=1, cache=False)
    for name in ("audio", "power"):
        assert not np.array_equal(other.read(0)[name], few.read(0)[name])


def test_a_sample_does_not_depend_on_which_modalities_are_rendered_or_their_order():
    everything = source(QUICK, samples=6).read(3)
    for name in QUICK:
        same(source((name,), samples=6, cache=False).read(3), {name: everything[name]})
    assert list(source(("power", "camera"), samples=6).read(3)) == ["power", "camera"]


def test_households_are_the_groups_of_their_samples():
    frame = source(("power",)).frame()
    assert frame.ids[:4] == ["H0000-0-0", "H0000-0-1", "H0000-0-2", "H0001-0-0"]
    assert len(set(frame.ids)) == 14
    assert frame.groups == [name.split("-")[0] for name in frame.ids]
    assert frame.split is None
    assert frame.fold is None
    assert frame.present.all()
    assert {len(truth) for truth in frame.truth.values()} == {14}


def test_every_event_and_a_command_come_up_often_enough():
    truth = source(("power",), samples=768).frame().truth
    share = {event: truth["security"].count(event) / 768 for event in EVENTS}
    assert min(share.values()) > 0.04
    assert max(share.values()) < 0.55
    assert np.mean([meant is not None for meant in truth["command"]]) > 0.35
    assert 0.15 < np.mean([told["intruder"] for told in truth["intrusion"]]) < 0.4
    assert all(np.isfinite(told["load"]).all() for told in truth["energy"])


def test_missing_rates_hold_and_no_sample_lacks_everything():
    built = source(("power", "weather", "motion"), targets={}, samples=3000, missing={"power": 0.6, "motion": 0.3})
    present = built.frame().present
    assert present.any(axis=1).all()
    assert np.abs(present.mean(axis=0) - [0.4, 1.0, 0.7]).max() < 4 * np.sqrt(0.25 / 3000)
    few = source(("power", "weather"), samples=14, missing=0.5)
    for i, row in enumerate(few.frame().present):
        assert list(few.read(i)) == [n for n, there in zip(("power", "weather"), row, strict=True) if there]


def test_an_uninformative_modality_shows_other_houses_and_leaves_the_rest_alone():
    truth, blind = (
        source(("power", "weather"), samples=60),
        source(("power", "weather"), samples=60, informativeness={"power": 0.0}),
    )
    half = source(("power",), samples=60, informativeness=0.5)
    shown = np.array([np.array_equal(truth.read(i)["power"], half.read(i)["power"]) for i in range(60)])
    assert 0.25 < shown.mean() < 0.75
    load = np.array([told["load"].mean() for told in truth.frame().truth["energy"]])

    def follows(built):
        return np.corrcoef(load, [built.read(i)["power"][:, 1].mean() for i in range(60)])[0, 1]

    assert follows(truth) > 0.6
    assert abs(follows(blind)) < 0.4
    same({"w": truth.read(5)["weather"]}, {"w": blind.read(5)["weather"]})
    decoys = {half.read(i)["power"].tobytes() for i in np.flatnonzero(~shown)}
    assert decoys <= {blind.read(i)["power"].tobytes() for i in range(60)}


def test_noise_is_a_factor_on_the_physical_noise():
    clean, usual, loud = (source(("camera", "power", "transcript"), samples=36, noise=n) for n in (0, 1, 3))
    for name in ("camera", "power"):
        off = [
            np.mean([np.abs(s.read(i)[name] - clean.read(i)[name]).mean() for i in range(36)]) for s in (usual, loud)
        ]
        assert 1.5 * off[0] < off[1], name
    wrong = [sum(s.read(i)["transcript"] != clean.read(i)["transcript"] for i in range(36)) for s in (usual, loud)]
    assert 0 < wrong[0] < wrong[1]


def test_reading_past_the_end_is_an_error():
    with pytest.raises(IndexError, match="there is no sample 14"):
        source(("power",)).read(14)


def test_the_cache_returns_what_was_rendered(cache, monkeypatch):
    first = source(("audio", "camera"), samples=6).read(4)
    assert sorted(path.name.split("-")[0] for path in cache.iterdir()) == ["audio", "camera"]
    monkeypatch.setattr(audio, "render", lambda *a: pytest.fail("rendered although cached"))
    monkeypatch.setattr(rendering.camera, "render", lambda *a: pytest.fail("rendered although cached"))
    same(source(("audio", "camera"), samples=6).read(4), first)


def test_the_fingerprint_tells_apart_what_differs_and_nothing_else():
    base = source(("power", "camera"))
    assert base.fingerprint() == source(("power", "camera"), cache=False).fingerprint()
    others = [
        source(("power",)), source(("power", "camera"), seed=1), source(("power", "camera"), samples=15),
        source(("power", "camera"), noise=2), source(("power", "camera"), missing={"power": 0.1}),
        source(("power", "camera"), informativeness=0.5),
    ]  # fmt: skip
    assert len({base.fingerprint(), *(o.fingerprint() for o in others)}) == 7


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"noise": {"motoin": 1}}, ["data.source.noise.motoin", 'Did you mean "motion"?', "transcript"]),
        ({"informativeness": 1.2}, ["data.source.informativeness=1.2", "[0, 1]"]),
        ({"missing": {"audio": 1.0}}, ["data.source.missing.audio=1.0", "[0, 1)"]),
        ({"samples": 0}, ["data.source.samples=0", "≥ 1"]),
        ({"seed": -1}, ["seed=-1"]),
        ({"modalities": {}}, ["task.modalities is empty"]),
        ({"modalities": {"sound": SPECS["audio"]}}, ["'sound'", "audio"]),
        ({"modalities": {"camera": ModalitySpec(kind="image")}}, ["modality.camera.channels=1", "must be 4"]),
        ({"modalities": {"audio": ModalitySpec(kind="audio", rate=8000)}}, ["modality.audio.rate=8000.0", "16000 Hz"]),
        ({"modalities": {"power": ModalitySpec(kind="series", rate=1)}}, ["modality.power.rate=1.0", "0.0166667 Hz"]),
        ({"targets": {"comand": TargetSpec(kind="slots")}}, ['Did you mean "command"?']),
        ({"targets": {"security": TargetSpec(kind="multilabel")}}, ["target.security.kind", "multiclass"]),
    ],
)
def test_what_is_wrong_is_named(fields, words):
    given = {"modalities": {"power": SPECS["power"]}, "targets": {}, "seed": 0, **fields}
    with pytest.raises(UserError) as fault:
        SyntheticHouseholds(**given)
    for word in words:
        assert word in str(fault.value)
