"""Speech, rooms and sounds: formants, pitch, reverberation, levels and words against what was asked for."""

import numpy as np
import pytest
import scipy.signal

from crossfade.data.smart_home import acoustics, commands, sounds
from crossfade.data.smart_home.acoustics import PATHS, Path, impulse_response, through
from crossfade.data.smart_home.audio import HEARD
from crossfade.data.smart_home.names import ROOMS
from crossfade.data.smart_home.phones import PHONES, VOWELS, WORDS, Segment, phones
from crossfade.data.smart_home.recogniser import ALIKE, error_rate, mishear
from crossfade.data.smart_home.voice import BINS, RATE, Voice, pulses, resonator, say, synthesise

FREQUENCY = np.arange(BINS // 2 + 1) * RATE / BINS


def rng(seed=0):
    return np.random.default_rng(seed)


def vowel(formants, pitch=100.0, tract=1.0, seed=0):
    return synthesise([Segment(900, *formants)], Voice(pitch, tract), RATE, 0.05, rng(seed))[RATE // 5 : -RATE // 5]


def test_a_resonator_is_klatts():
    """Against scipy's response of the difference equation y = A x + B y₁ + C y₂; its peak lies at the frequency."""
    response = resonator(np.array([800.0]), 70.0)[0]
    c = -np.exp(-2 * np.pi * 70 / RATE)
    b = 2 * np.exp(-np.pi * 70 / RATE) * np.cos(2 * np.pi * 800 / RATE)
    _, expected = scipy.signal.freqz([1 - b - c], [1, -b, -c], worN=FREQUENCY, fs=RATE)
    np.testing.assert_allclose(response, expected, rtol=2e-3, atol=1e-4)
    assert abs(FREQUENCY[np.argmax(np.abs(response))] - 800) < RATE / BINS
    assert abs(response[0]) == pytest.approx(1, rel=1e-3)  # unit gain at 0 Hz


@pytest.mark.parametrize("name", ["IY", "AE", "AA", "ER"])
@pytest.mark.parametrize("tract", [1.0, 1.16])
def test_a_vowels_formants_stand_where_the_table_says(name, tract):
    """Linear prediction of order 12 at 8 kHz finds poles within 8 % of the first two formants."""
    wave = scipy.signal.resample_poly(vowel(VOWELS[name], pitch=90.0, tract=tract), 1, 2)
    wave = np.append(wave[0], wave[1:] - 0.9 * wave[:-1]) * np.hamming(len(wave))
    correlation = np.correlate(wave, wave, "full")[len(wave) - 1 :][:13]
    predictor = scipy.linalg.solve_toeplitz(correlation[:12], correlation[1:13])
    roots = np.roots(np.append(1, -predictor))
    roots = roots[(roots.imag > 0) & (np.abs(roots) > 0.85)]
    found = np.sort(np.angle(roots)) * 8000 / (2 * np.pi)
    for wanted in VOWELS[name][:2]:
        assert np.abs(found - wanted * tract).min() < max(0.08 * wanted * tract, 45)


def test_the_voice_has_its_pitch():
    wave = vowel(VOWELS["AH"], pitch=160.0).astype(float)
    lags = np.correlate(wave, wave, "full")[len(wave) - 1 :]
    first, last = RATE // 300, RATE // 80
    assert RATE / (first + np.argmax(lags[first:last])) == pytest.approx(160, rel=0.08)
    crossings = (np.diff(np.cumsum(np.full(RATE, 125.0 / RATE)) % 1) < 0).sum()
    assert crossings == pytest.approx(125, abs=1)
    assert len(pulses(np.full(50, 125.0))) == 50


def test_hisses_are_high_and_vowels_low():
    def centre(name):
        wave = synthesise([*PHONES[name]] * 4, Voice(110.0), RATE // 2, 0.0, rng())
        power = np.abs(np.fft.rfft(wave)) ** 2
        return (np.fft.rfftfreq(len(wave), 1 / RATE) * power).sum() / power.sum()

    assert centre("S") > 4500 > centre("SH") > 2200 > centre("AA")


@pytest.mark.parametrize("tempo", [0.9, 1.2])
def test_every_command_fits_into_the_clip(tempo):
    longest = phones(["switch", "off", "the", "living", "room", "heating", "please"])
    wave = say(longest, Voice(120.0, tempo=tempo), 25600, rng())
    assert wave.shape == (25600,)
    assert np.abs(wave[-100:]).max() < 0.2 * np.abs(wave).max()
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.1, rel=0.15)


def test_every_word_of_the_grammar_can_be_spoken_and_misheard():
    said = {"turn", "switch", "set", "check", "on", "off", "the", "to", "please", *commands.DEVICES, *commands.VALUES}
    said |= {word for room in commands.COMMANDED for word in room.split("_")}
    assert said == set(WORDS) == set(ALIKE)
    assert all(phone in PHONES for word in WORDS for phone in phones([word]))
    assert all(word not in near for word, near in ALIKE.items())


@pytest.mark.parametrize("room", ROOMS)
def test_reverberation_falls_by_sixty_decibels_in_its_time(room):
    """Schroeder's backward integration (1965), fitted between −5 and −25 dB."""
    path = PATHS[room]
    tails = [impulse_response(path, rng(k))[1:].astype(float) for k in range(8)]
    energy = np.mean([np.cumsum(tail[::-1] ** 2)[::-1] for tail in tails], axis=0)
    level = 10 * np.log10(energy / energy[0])
    fit = (level < -5) & (level > -25)
    slope = np.polyfit(np.arange(len(level))[fit] / RATE, level[fit], 1)[0]
    assert -60 / slope == pytest.approx(path.t60, rel=0.06)


def test_direct_to_reverberant_ratio_and_level_are_those_of_the_path():
    response = impulse_response(Path(0, 0.5, 4.0, 8000), rng())
    assert response[0] == 1
    assert 10 * np.log10(1 / np.sum(response[1:] ** 2)) == pytest.approx(4.0, abs=1e-3)
    click = np.zeros(4000, np.float32)
    click[1000] = 1
    for room, name in ((0, "living_room"), (4, "hall")):
        heard = through(click, room, rng())
        assert np.abs(heard[:999]).max() < 1e-6  # nothing before the sound
        keep = np.exp(-2 * np.pi * PATHS[name].cutoff / RATE) if PATHS[name].cutoff < RATE / 2 else 0
        assert heard[1000] == pytest.approx((1 - keep) * 10 ** (PATHS[name].level / 20), rel=1e-4)


def test_the_background_falls_by_three_decibels_an_octave():
    noise = np.concatenate([acoustics.background(32000, rng(k)) for k in range(6)])
    assert noise.std() == pytest.approx(1, rel=1e-3)
    frequency, power = scipy.signal.welch(noise, RATE, nperseg=2048)
    low = power[(frequency > 400) & (frequency < 600)].mean()
    high = power[(frequency > 1600) & (frequency < 2400)].mean()
    assert 10 * np.log10(low / high) == pytest.approx(6, abs=0.7)


def test_glass_rings_higher_than_dishes_and_steps_are_dull():
    def centre(make):
        wave = np.concatenate([make(25600, rng(k)) for k in range(5)])
        frequency, power = scipy.signal.welch(wave, RATE, nperseg=1024)
        return (frequency * power).sum() / power.sum()

    assert centre(sounds.glass) > 4000 > centre(sounds.dishes) > 1200 > centre(sounds.patter) > centre(sounds.steps)


def test_the_sounds_of_an_event_are_a_distribution_of_finite_clips():
    for heard in HEARD.values():
        assert sum(heard.values()) == pytest.approx(1)
        for make in heard:
            wave = make(25600, rng())
            assert wave.shape == (25600,)
            assert wave.dtype == np.float32
            assert np.isfinite(wave).all()


def test_word_errors_grow_with_noise_and_distance_and_come_at_their_rate():
    snr = np.linspace(-5, 25, 7)
    for room in range(4):
        rates = error_rate(snr, room, 1.0)
        assert (np.diff(rates) < 0).all()
        assert (error_rate(snr, room, 2.0) >= rates).all()
    assert error_rate(10.0, 3, 1.0) > error_rate(10.0, 0, 1.0)
    assert error_rate(10.0, 0, 0.0) == 0
    said = ["turn", "on", "the", "kitchen", "light"]
    assert mishear(said, 0.0, rng()) == said
    generator = rng()
    heard = [mishear(["light"], 0.3, generator) for _ in range(4000)]
    assert np.mean([words != ["light"] for words in heard]) == pytest.approx(0.3, abs=0.03)
    assert np.mean([words == [] for words in heard]) == pytest.approx(0.06, abs=0.015)
