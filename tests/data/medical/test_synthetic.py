"""The built-in patients as a source: determinism, presence, truth, units, cache."""

import numpy as np
import pytest

from crossfade.data.medical import synthetic, vitals
from crossfade.data.medical.synthetic import SyntheticPatients
from crossfade.data.medical.tables import DIAGNOSES, FINDINGS, MODALITIES, patterns
from crossfade.specs import ModalitySpec, TargetSpec

SPECS = {
    "ct": ModalitySpec(kind="image", size=32),
    "mri": ModalitySpec(kind="image", channels=2, size=32),
    "ultrasound": ModalitySpec(kind="image", size=32),
    "note": ModalitySpec(kind="text"),
    "vitals": ModalitySpec(kind="table", categorical=["sex", "smoking"]),
}
TARGETS = {"diagnosis": TargetSpec(kind="multiclass"), "findings": TargetSpec(kind="multilabel")}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "medical"


def source(names=MODALITIES, seed=0, **fields):
    fields = {"samples": 70, **fields}
    return SyntheticPatients({n: SPECS[n] for n in names}, TARGETS, seed, **fields)


def same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert np.array_equal(value, b[name]) if isinstance(value, np.ndarray) else value == b[name], name


def test_values_have_the_shapes_types_and_ranges_of_the_contract():
    sample = source(samples=3).read(1)
    assert list(sample) == list(MODALITIES)
    for name, channels in (("ct", 1), ("mri", 2), ("ultrasound", 1)):
        assert sample[name].shape == (channels, 32, 32)
        assert sample[name].dtype == np.float32
        assert np.isfinite(sample[name]).all()
    assert sample["ct"].min() < -900
    assert 150 < sample["ct"].max() < 600
    assert sample["mri"].min() > 0
    assert sample["ultrasound"].min() == -60
    assert sample["ultrasound"].max() <= 0
    assert 15 <= len(sample["note"].split()) <= 60
    assert list(sample["vitals"]) == list(vitals.COLUMNS)


def test_a_patient_depends_on_seed_and_index_alone():
    many, few = source(samples=70, cache=False), source(samples=3, cache=False)
    for index in (2, 0, 1):  # in another order, too
        same(few.read(index), many.read(index))
    assert many.frame().truth["diagnosis"][:3] == few.frame().truth["diagnosis"]
    other = source(samples=3, seed=1, cache=False)
    assert not np.array_equal(other.read(0)["ct"], few.read(0)["ct"])
    assert other.read(0)["note"] != few.read(0)["note"]


def test_a_patient_does_not_depend_on_which_modalities_are_rendered_or_their_order():
    everything = source(samples=4).read(3)
    assert list(source(("vitals", "mri"), samples=4).read(3)) == ["vitals", "mri"]
    for name in MODALITIES:
        same(source((name,), samples=4, cache=False).read(3), {name: everything[name]})


def test_patients_are_their_own_groups_and_the_source_leaves_the_split_to_others():
    frame = source(samples=12).frame()
    assert frame.ids[7] == "P00007"
    assert list(frame.groups) == list(frame.ids)
    assert frame.split is None
    assert frame.fold is None
    assert frame.present.shape == (12, 5)
    assert frame.present.all()


def test_findings_are_those_of_the_evidence_and_diagnoses_are_equally_frequent():
    built = source(("note",), samples=3000)
    truth = built.frame().truth
    counts = [truth["diagnosis"].count(d) for d in DIAGNOSES]
    assert max(abs(c - 500) for c in counts) < 4 * np.sqrt(3000 * 5 / 36)
    state = built.state(np.arange(3000))
    for i in (0, 17, 2999):
        seen = [(m, patterns(m)[state.evidence[m][i]]) for m in MODALITIES]
        assert truth["findings"][i] == [FINDINGS[m][p] for m, p in seen if p in FINDINGS[m]]
        assert len(set(truth["findings"][i])) == len(truth["findings"][i])


def test_only_asked_for_truth_is_given():
    built = SyntheticPatients({"note": SPECS["note"]}, {"diagnosis": TARGETS["diagnosis"]}, 0, samples=2)
    assert list(built.frame().truth) == ["diagnosis"]


def test_missing_rates_hold_and_no_patient_lacks_everything():
    rates = {"ct": 0.6, "note": 0.3}
    built = source(("note", "ct", "mri"), samples=4000, missing=rates)
    present = built.frame().present
    assert present.any(axis=1).all()
    assert np.abs(present.mean(axis=0) - [0.7, 0.4, 1.0]).max() < 4 * np.sqrt(0.25 / 4000)
    alone = source(("ct", "note"), samples=4000, missing=rates).frame().present
    assert alone.any(axis=1).all()
    share = np.array([0.4, 0.7]) / (1 - 0.6 * 0.3)  # given that one of the two is there
    assert np.abs(alone.mean(axis=0) - share).max() < 4 * np.sqrt(0.25 / 4000)


def test_an_absent_modality_is_left_out_of_the_sample():
    built = source(("note", "vitals"), samples=40, missing=0.5)
    present = built.frame().present
    for i in range(40):
        assert list(built.read(i)) == [n for n, p in zip(("note", "vitals"), present[i], strict=True) if p]
    assert not present.all()


def test_reading_past_the_end_is_an_error():
    with pytest.raises(IndexError, match="there is no patient 70"):
        source().read(70)


def test_the_cache_returns_what_was_rendered_and_is_shared_by_runs(cache, monkeypatch):
    first = source(("ct",), samples=5).read(4)
    assert [p.name.split("-")[0] for p in cache.iterdir()] == ["ct"]
    monkeypatch.setattr(synthetic.ct, "render", lambda *a: pytest.fail("rendered although cached"))
    same(source(("ct",), samples=5).read(4), first)
    assert np.array_equal(source(("note", "ct"), samples=5, missing={"note": 0.5}).read(4)["ct"], first["ct"])


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text", "shape"])
def test_a_broken_cache_is_rebuilt(cache, damage, caplog):
    first = source(("ultrasound",), samples=5).read(4)
    (path,) = cache.iterdir()
    content = path.read_bytes()
    middle = len(content) // 2
    if damage == "shape":
        np.savez(path, images=np.zeros((5, 1, 8, 8), np.float16))
    else:
        broken = {
            "truncate": content[:middle],
            "flip": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
            "empty": b"",
            "text": b"not an archive",
        }
        path.write_bytes(broken[damage])
    same(source(("ultrasound",), samples=5).read(4), first)
    assert "made anew" in caplog.text
    assert path.stat().st_size == len(content)
    assert [p.suffix for p in cache.iterdir()] == [".npz"]


def test_a_cache_that_takes_no_file_only_warns(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "file"))
    sample = source(("ultrasound",), samples=2).read(0)
    assert sample["ultrasound"].shape == (1, 32, 32)
    assert "not cached" in caplog.text


def test_the_fingerprint_tells_apart_what_differs_and_nothing_else():
    base = source(("ct", "note"))
    assert base.fingerprint() == source(("ct", "note"), cache=False).fingerprint()
    others = [
        source(("ct",)), source(("ct", "note"), seed=1), source(("ct", "note"), samples=71),
        source(("ct", "note"), noise={"ct": 2}), source(("ct", "note"), missing=0.1),
        source(("ct", "note"), informativeness=0.5),
    ]  # fmt: skip
    assert len({base.fingerprint(), *(o.fingerprint() for o in others)}) == 7
