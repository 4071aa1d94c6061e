"""What the renderings must obey: HU of known tissues, Rician noise, decibels, shadows, words, units."""

import numpy as np
import pytest

from crossfade.data.medical import anatomy, ct, mri, note, ultrasound, vitals
from crossfade.data.medical.draws import generators
from crossfade.data.medical.tables import PER_CENT, patterns
from crossfade.data.synthetic.draws import Uniforms

SIZE, COUNT = 64, 20
INDICES = np.arange(COUNT)
EVIDENCE = INDICES % 5


def rngs(stream, seed=0):
    return generators(seed, INDICES, stream)


@pytest.fixture(scope="module")
def scene():
    return anatomy.axial_slice(Uniforms(rngs("anatomy"), anatomy.ANATOMY_UNIFORMS), SIZE)


@pytest.fixture(scope="module")
def slices(scene):
    return ct.render(scene, EVIDENCE, 1.0, rngs("ct"))[:, 0]


def mean_inside(images, scene, tissue=None, rows=INDICES):
    """Mean of each image over the lesion's inner half, or where only this tissue is."""
    if tissue is None:
        mask = scene.r < 0.5
    else:
        (layer,) = (x for x in scene.layers if x.tissue == tissue)
        mask = np.zeros(scene.r.shape, bool)
        mask[layer.window] = layer.mask == 1
        mask &= scene.r > 1.6 if tissue == "liver" else True
    return np.array([images[i][mask[i]].mean() for i in rows])


def disc(hu, radius_mm=100.0):
    axis = (np.arange(SIZE) + 0.5) * anatomy.FIELD_MM / SIZE - anatomy.FIELD_MM / 2
    inside = np.hypot(axis[None], axis[:, None]) < radius_mm
    return np.where(inside, hu, -1000.0).astype(np.float32)[None]


@pytest.mark.parametrize("hu", [0.0, 60.0, -100.0])
def test_reconstruction_returns_the_attenuation_of_a_disc(hu):
    image = disc(hu)
    out = ct.scan(image, 0.0, [])[0]
    assert out[28:36, 28:36].mean() == pytest.approx(hu, abs=4)
    assert out[:3, 28:36].mean() == pytest.approx(-1000, abs=8)


def test_the_sinogram_is_the_line_integral():
    """A disc of radius R at offset t has the chord 2 √(R² − t²)."""
    image = disc(0.0)
    forward, _, angles, detectors = ct.scanner(SIZE)
    chords = (forward @ (1 + image.reshape(-1) / 1000)).reshape(angles, detectors)
    t = (np.arange(detectors) - (detectors - 1) / 2) * anatomy.FIELD_MM / SIZE
    chord = 2 * np.sqrt(np.maximum(100.0**2 - t**2, 0))
    inner = np.abs(t) < 85
    assert np.abs(chords[:, inner] / chord[inner] - 1).max() < 0.04
    assert chords[:, np.abs(t) > 108].max() == 0


def test_quantum_noise_scales_with_the_knob_and_is_highest_behind_the_most_matter():
    image = np.repeat(disc(0.0), COUNT, axis=0)
    clean = ct.scan(image, 0.0, [])
    once, twice = (ct.scan(image, k, rngs("ct")) - clean for k in (1.0, 2.0))
    assert twice.std() == pytest.approx(2 * once.std(), rel=1e-3)
    assert 3 < once[:, 28:36, 28:36].std() < 8
    assert once[:, 28:36, 28:36].std() > 1.2 * once[:, 28:36, 2:6].std()


def test_liver_and_lesions_have_their_hounsfield_units(scene, slices):
    assert mean_inside(slices, scene, "liver").mean() == pytest.approx(112, abs=10)
    centre = mean_inside(slices, scene)
    level = {p: centre[k == EVIDENCE].mean() for k, p in enumerate(patterns("ct"))}
    assert level["fluid"] == pytest.approx(8, abs=15)
    assert level["bright"] == pytest.approx(178, abs=15)
    assert level["hypodense"] == pytest.approx(62, abs=15)
    assert level["rim"] < 75


def test_spin_echo_known_values():
    assert mri.spin_echo(1e9, 100.0, 1.0, 500.0, 10.0) == pytest.approx(0, abs=1e-6)  # never relaxes
    assert mri.spin_echo(1.0, 100.0, 0.8, 500.0, 0.0) == pytest.approx(0.8)  # nothing decays
    assert mri.spin_echo(500.0, 100.0, 1.0, 500.0, 100.0) == pytest.approx((1 - np.exp(-1)) * np.exp(-1))


def test_rician_noise_is_positive_with_a_floor_in_air_and_none_at_zero(scene):
    clean = mri.render(scene, EVIDENCE, 0.0, rngs("mri"))
    noisy = mri.render(scene, EVIDENCE, 3.0, rngs("mri"))
    assert noisy.min() > 0
    air = noisy[..., :4, :4]
    assert clean[..., :4, :4].max() == 0
    assert air.mean() == pytest.approx(3 * mri.SIGMA * np.sqrt(np.pi / 2), rel=0.05)  # Rayleigh
    assert air.std() == pytest.approx(3 * mri.SIGMA * np.sqrt(2 - np.pi / 2), rel=0.08)


def test_contrast_of_the_weightings(scene):
    images = mri.render(scene, EVIDENCE, 0.0, rngs("mri"))
    ratio = np.stack([mean_inside(images[:, k], scene) / mean_inside(images[:, k], scene, "liver") for k in (0, 1)])
    by = {p: ratio[:, k == EVIDENCE].mean(axis=1) for k, p in enumerate(patterns("mri"))}
    assert by["light_bulb"][0] < 0.6
    assert by["light_bulb"][1] > 4
    assert by["fat"][0] > 1.4
    assert 1.5 < by["moderate"][1] < by["target"][1]


def echo(evidence, noise=0.0):
    return ultrasound.render(np.full(COUNT, evidence), np.full(COUNT, 30.0), SIZE, noise, rngs("ultrasound"))[:, 0]


def test_decibels_stay_in_range_and_the_corners_are_outside_the_sector():
    image = echo(0, noise=3.0)
    assert image.max() <= 0
    assert image.min() == ultrasound.LOW
    assert (image[:, 0, 0] == ultrasound.LOW).all()


def test_fluid_enhances_and_gas_shadows_what_lies_behind():
    """Same patients but for the pattern: only its own region and what lies behind it differ."""
    names = patterns("ultrasound")
    plain = echo(names.index("hyperechoic"))
    row = slice(46, 49)
    behind = {p: (echo(names.index(p)) - plain)[:, row, 24:40].mean() for p in ("anechoic", "shadow")}
    assert behind["anechoic"] > 2
    assert behind["shadow"] < -8
    assert np.array_equal(echo(names.index("shadow"))[:, :14], plain[:, :14])  # nothing in front of it changes


def test_speckle_has_mean_power_one_and_the_spread_of_two_looks():
    db = ultrasound.speckle(rngs("ultrasound"), SIZE)
    power = 10 ** (db / 10)
    assert power.mean() == pytest.approx(1, abs=0.01)
    assert power.std() == pytest.approx(1 / np.sqrt(ultrasound.LOOKS), rel=0.12)


def test_every_pattern_has_a_rendering_in_every_modality():
    assert tuple(ct.PATTERNS) == patterns("ct")
    assert tuple(mri.PATTERNS) == patterns("mri")
    assert tuple(ultrasound.PATTERNS) == patterns("ultrasound")
    assert tuple(note.TELLING) == patterns("note")
    assert tuple(vitals.SHIFT) == patterns("vitals")
    assert len(PER_CENT) == 5


def test_notes_are_english_of_bounded_length_and_deny_only_what_is_not_so():
    lengths = []
    for k, rng in enumerate(generators(0, np.arange(300), "note")):
        pattern = patterns("note")[k % 6]
        text = note.write(pattern, 61, "female", 1.0, rng)
        lengths.append(len(text.split()))
        assert not set("{}|") & set(text)
        assert "61" in text
        assert "woman" in text.lower()
        if pattern == "fever":
            assert not any(s in text for s in ("No fever", "Denies fever", "Afebrile"))
    assert min(lengths) >= 15
    assert max(lengths) <= 60


def test_noise_of_the_note_is_what_does_not_matter():
    def words(noise):
        return np.mean(
            [len(note.write("fever", 50, "male", noise, r).split()) for r in generators(0, np.arange(60), "note")]
        )

    assert words(0.0) < words(1.0) < words(2.0)


def rows(pattern, noise=1.0, count=400):
    out = []
    for rng in generators(0, np.arange(count), "vitals"):
        out.append(vitals.measure(pattern, 55, "male", "never", noise, rng))
    return out


def column(table, name):
    return np.array([row[name] for row in table if row[name] is not None])


def test_vitals_have_units_gaps_and_shared_causes():
    table = rows("normal")
    assert set(vitals.UNITS) | set(vitals.CATEGORICAL) == set(table[0])
    gaps = np.mean([[row[n] is None for n in vitals.COLUMNS[3:]] for row in table])
    assert gaps == pytest.approx(vitals.MISSING_ENTRY, abs=0.012)
    assert all(row["age"] == 55 and row["sex"] == "male" for row in table)
    both = [(r["crp"], r["leukocytes"]) for r in table if r["crp"] is not None and r["leukocytes"] is not None]
    a, b = np.array(both).T
    assert np.corrcoef(np.log(a), b)[0, 1] > 0.25
    assert column(table, "saturation").max() <= 100


def test_patterns_raise_their_markers():
    normal = rows("normal")
    assert np.median(column(rows("afp"), "afp")) > 50 * np.median(column(normal, "afp"))
    assert np.median(column(rows("cea"), "cea")) > 20 * np.median(column(normal, "cea"))
    hot = rows("inflammation")
    assert column(hot, "temperature").mean() - column(normal, "temperature").mean() == pytest.approx(1.7, abs=0.1)
    assert np.median(column(hot, "crp")) > 50


def test_without_noise_two_like_patients_measure_the_same():
    assert len(np.unique(column(rows("normal", noise=0.0, count=30), "platelets"))) == 1
