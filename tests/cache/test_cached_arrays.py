"""The file of a cache's entry: what was written is read, whatever else is there is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from crossfade.cache.arrays import Damaged, packed, read, read_header, write

RNG = np.random.default_rng(0)
ARRAYS = {"tokens": RNG.standard_normal((7, 3, 5)).astype(np.float32), "mask": RNG.random((7, 3)) < 0.5}
ABOUT = {"what": "scan", "data": "Köln"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("entry") / "one.safetensors"
    write(path, packed(ARRAYS, ABOUT))
    return path


def test_what_was_written_is_read(written):
    found = read(written)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes()
        assert found[name].shape == array.shape
    assert list(written.parent.iterdir()) == [written]


def test_other_readers_of_the_format_read_the_same(written):
    with safe_open(written, "np") as file:
        assert file.metadata().items() >= ABOUT.items()
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)


def test_a_change_of_what_was_read_stays_in_memory(written):
    before = written.read_bytes()
    read(written)["tokens"][:] = 0
    assert written.read_bytes() == before


def test_an_array_of_another_order_in_memory_is_written_by_its_values(tmp_path):
    turned = np.asfortranarray(ARRAYS["tokens"])
    write(tmp_path / "f.safetensors", packed({"tokens": turned}, {}))
    np.testing.assert_array_equal(read(tmp_path / "f.safetensors")["tokens"], turned)


def test_a_file_cut_off_anywhere_is_damaged(written, tmp_path):
    whole = written.read_bytes()
    for length in [*range(0, len(whole), 13), len(whole) - 1]:
        path = tmp_path / "cut.safetensors"
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            read(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(Damaged, match="bytes of data"):
        read(path)


@settings(deadline=None, max_examples=300)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_changes_no_value(written, tmp_path_factory, place, change):
    content = bytearray(written.read_bytes())
    i = int(place * len(content))
    content[i] ^= change
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    path.write_bytes(content)
    try:
        found = read(path)
    except Damaged:
        return
    # only blanks after the header may change unseen
    assert i < read_header(path)[2]
    assert all(found[name].tobytes() == array.tobytes() for name, array in ARRAYS.items())


def test_anything_else_is_damaged(tmp_path):
    path = tmp_path / "other.safetensors"
    for content in (b"", b"\0" * 200, b"x" * 200, (2).to_bytes(8, "little") + b"[]", (2).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        with pytest.raises(Damaged):
            read(path)
