"""Images: what is written is read back to the exact value; a bad file is a Fault, never other pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from crossfade.data.readers import Fault
from crossfade.data.readers.image import read_image

GREY = np.random.default_rng(0).integers(0, 256, (7, 5), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (7, 5, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **fields: object) -> Path:
    Image.fromarray(pixels).save(path, **fields)
    return path


@pytest.mark.parametrize("extension", ["png", "tif", "bmp", "TIFF"])
def test_lossless_pictures_come_back_exactly(tmp_path: Path, extension: str) -> None:
    grey = read_image(save(tmp_path / f"grey.{extension}", GREY), 1)
    colour = read_image(save(tmp_path / f"colour.{extension}", COLOUR), 3)
    assert grey.dtype == colour.dtype == np.float32
    np.testing.assert_array_equal(grey, GREY[None])
    np.testing.assert_array_equal(colour, np.moveaxis(COLOUR, -1, 0))


def test_jpeg_is_what_pillow_decodes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpeg", GREY, quality=90)
    np.testing.assert_array_equal(read_image(path, 1)[0], np.asarray(Image.open(path)))


def test_sixteen_bits_and_floats_keep_their_values(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", deep), 1)[0], deep)
    real = GREY.astype(np.float32) / 7
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.tif", real), 1)[0], real)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    image = read_image(save(tmp_path / "a.png", GREY), 3)
    np.testing.assert_array_equal(image, np.stack([GREY] * 3))


def test_colour_becomes_luma_and_equal_channels_stay_exact(tmp_path: Path) -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_allclose(read_image(save(tmp_path / "red.png", red), 1), 59.8, rtol=1e-6)
    np.testing.assert_array_equal(read_image(save(tmp_path / "g.png", np.dstack([GREY] * 3)), 1)[0], GREY)


def test_opaque_alpha_is_dropped_and_transparency_is_a_fault(tmp_path: Path) -> None:
    opaque = np.dstack([COLOUR, np.full((7, 5), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", opaque), 3), np.moveaxis(COLOUR, -1, 0))
    opaque[0, 0, 3] = 0
    with pytest.raises(Fault, match="transparency that is in use"):
        read_image(save(tmp_path / "b.png", opaque), 3)


def test_palette_and_bilevel(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    expected = np.asarray(Image.open(tmp_path / "p.png").convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "p.png", 3), np.moveaxis(expected, -1, 0))
    Image.fromarray(GREY > 127).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png", 1)[0], (GREY > 127) * 255.0)


def test_a_camera_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to show
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 1)[0], np.rot90(GREY, -1))


@pytest.mark.parametrize(
    ("channels", "shape"), [(2, (7, 5, 3)), (4, (7, 5, 3)), (2, (7, 5))], ids=["3 for 2", "3 for 4", "1 for 2"]
)
def test_other_channel_counts_are_faults(tmp_path: Path, channels: int, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.png", np.zeros(shape, np.uint8))
    with pytest.raises(Fault, match=f"the modality has channels: {channels}"):
        read_image(path, channels)


def test_cmyk_and_several_frames_are_faults(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(Fault, match="CMYK"):
        read_image(tmp_path / "a.jpg", 3)
    frames = [Image.fromarray(GREY), Image.fromarray(GREY)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(Fault, match="2 frames"):
        read_image(tmp_path / "a.tif", 1)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (24, 24), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_picture_is_a_fault_or_complete(tmp_path: Path, kind: str, share: float) -> None:
    """Cut anywhere, also with Pillow told to be lenient: never pixels that differ from the whole file's."""
    data = encoded(kind)
    whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    whole.write_bytes(data)
    cut.write_bytes(data[: int(len(data) * share)])
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        if share < 0.95:
            with pytest.raises(Fault, match="corrupt or truncated"):
                read_image(cut, 1)
        else:  # the last bytes may hold no pixel
            try:
                pixels = read_image(cut, 1)
            except Fault:
                return
            np.testing.assert_array_equal(pixels, read_image(whole, 1))
        assert ImageFile.LOAD_TRUNCATED_IMAGES  # left as it was
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(8, len(encoded("png")) - 13), flip=st.integers(1, 255))
def test_a_png_with_any_byte_changed_is_a_fault(tmp_path: Path, place: int, flip: int) -> None:
    data = bytearray(encoded("png"))
    data[place] ^= flip
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(Fault):
        read_image(tmp_path / "a.png", 1)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_what_is_no_picture_is_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(Fault, match="not a readable image"):
        read_image(tmp_path / "a.png", 1)


def test_unknown_extension_lists_those_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(b"")
    with pytest.raises(Fault, match=r"\.png"):
        read_image(tmp_path / "a.webp", 1)


def test_arrays_of_planes(tmp_path: Path) -> None:
    planes = np.arange(24, dtype=np.float64).reshape(2, 3, 4) / 7
    np.save(tmp_path / "a.npy", planes)
    np.savez(tmp_path / "a.npz", image=planes[0].astype(np.int16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", 2), planes.astype(np.float32))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npz", 1)[0], planes[0].astype(np.int16))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 4, 5)), "no slice of a volume is picked"),
        (np.zeros((4, 5, 2)), "channels first"),
        (np.zeros((0, 4)), "empty"),
        (np.array([[1.0, np.nan]]), "1 NaN and 0 infinite"),
        (np.array([[1.0, np.inf]]), "0 NaN and 1 infinite"),
        (np.array([[1e300, 0.0]]), "1 infinite"),
        (np.array([["a", "b"]]), "not real numbers"),
        (np.array([[1j, 0]]), "not real numbers"),
    ],
)
def test_bad_arrays_are_faults(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(Fault, match=words):
        read_image(tmp_path / "a.npy", 2)


def test_pickled_objects_and_ambiguous_archives_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(Fault, match="pickle"):
        read_image(tmp_path / "a.npy", 1)
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    with pytest.raises(Fault, match="2 arrays"):
        read_image(tmp_path / "a.npz", 1)


def test_a_fault_says_why_and_repeats_no_advice_of_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(Fault, match="no picture format is recognised") as caught:
        read_image(tmp_path / "a.png", 1)
    assert "object at" not in str(caught.value)
    (tmp_path / "a.npy").write_bytes(b"no array")
    with pytest.raises(Fault, match=r"pickled \(object\) data$"):  # numpy goes on: "… load it unsafely using …"
        read_image(tmp_path / "a.npy", 1)
