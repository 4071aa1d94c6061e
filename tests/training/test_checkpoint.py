"""Checkpoints: whole or not at all, plain data only, and clear words for what does not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

import tiny
from crossfade.errors import UserError
from crossfade.runs.files import disk_fault
from crossfade.training.checkpoint import AtomicCheckpointIO, clean, load_weights, read_checkpoint


def save(model, path):
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    AtomicCheckpointIO().save_checkpoint({"state_dict": state, "epoch": 3}, path)
    return path


def test_what_was_saved_is_loaded(tmp_path):
    path = save(tiny.model(seed=1), tmp_path / "new" / "last.ckpt")
    model = tiny.model(seed=2)
    load_weights(model, path)
    saved = tiny.model(seed=1).state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in model.state_dict().items())
    assert read_checkpoint(path)["epoch"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]


def test_frozen_weights_are_written_once_and_come_back(tmp_path):
    state = {"model.a": torch.arange(3.0), "model.b": torch.arange(4.0), "model.c": torch.tensor(5)}
    writer = AtomicCheckpointIO(frozen=["model.b", "model.c"])
    writer.save_checkpoint({"state_dict": state, "epoch": 0}, tmp_path / "best.ckpt")
    stamp = (tmp_path / "frozen.pt").stat().st_mtime_ns
    writer.save_checkpoint({"state_dict": {**state, "model.a": torch.zeros(3)}, "epoch": 1}, tmp_path / "last.ckpt")
    assert (tmp_path / "frozen.pt").stat().st_mtime_ns == stamp
    assert list(torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]) == ["model.a"]
    for read in (read_checkpoint, writer.load_checkpoint, AtomicCheckpointIO().load_checkpoint):
        for name, first in (("best.ckpt", state["model.a"]), ("last.ckpt", torch.zeros(3))):
            found = read(tmp_path / name)
            assert set(found) == {"state_dict", "epoch"}
            assert all(torch.equal(found["state_dict"][n], v) for n, v in {**state, "model.a": first}.items())


def test_a_checkpoint_without_its_frozen_weights_says_what_is_missing(tmp_path):
    writer = AtomicCheckpointIO(frozen=["model.b"])
    writer.save_checkpoint({"state_dict": {"model.a": torch.ones(1), "model.b": torch.ones(1)}}, tmp_path / "x.ckpt")
    AtomicCheckpointIO(["model.z"]).save_checkpoint(
        {"state_dict": {"model.z": torch.ones(1)}}, tmp_path / "z" / "z.ckpt"
    )
    (tmp_path / "z" / "frozen.pt").rename(tmp_path / "frozen.pt")
    with pytest.raises(UserError, match=r"holds no model.b, so it is of another run than x.ckpt"):
        read_checkpoint(tmp_path / "x.ckpt")
    (tmp_path / "frozen.pt").unlink()
    with pytest.raises(UserError, match=r"frozen encoders stand in .*frozen.pt, which is not there"):
        read_checkpoint(tmp_path / "x.ckpt")


@pytest.mark.parametrize("at", ["writing", "flushing", "renaming"])
def test_an_end_in_the_middle_leaves_the_old_one(tmp_path, monkeypatch, at):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def half(checkpoint, file):
        file.write(b"half a checkpoint")
        raise KeyboardInterrupt

    def end(*_):
        raise KeyboardInterrupt

    if at == "writing":
        monkeypatch.setattr(torch, "save", half)
    else:
        monkeypatch.setattr("os.fsync" if at == "flushing" else "os.replace", end)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert read_checkpoint(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_one_and_is_not_hidden(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert read_checkpoint(path) == {"epoch": 1}


def test_clean_removes_what_a_killed_process_left(tmp_path):
    (tmp_path / ".last.ckpt.123.tmp").write_bytes(b"half")
    (tmp_path / "last.ckpt").write_bytes(b"whole")
    clean(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_at_any_place_it_says_so_and_names_the_others(tmp_path, share):
    whole = save(tiny.model(("table",)), tmp_path / "best.ckpt").read_bytes()
    path = tmp_path / "last.ckpt"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"last\.ckpt: not a readable checkpoint.*truncated.*best"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"no checkpoint", b"PK\x03\x04 nor a zip", b"\x80\x02]q\x00.", b"{}"])
def test_other_files_are_no_checkpoints(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"last\.ckpt"):
        load_weights(tiny.model(("table",)), path)


@pytest.mark.parametrize("content", [{"epoch": 1}, torch.zeros(3), [1, 2], {"state_dict": [1]}])
def test_other_things_that_torch_saved_are_no_checkpoints(tmp_path, content):
    path = tmp_path / "last.ckpt"
    torch.save(content, path)
    with pytest.raises(UserError, match=r"last\.ckpt: .*no checkpoint of Crossfade"):
        load_weights(tiny.model(("table",)), path)


def test_a_missing_one_names_those_that_are_there(tmp_path):
    save(tiny.model(("table",)), tmp_path / "best.ckpt")
    with pytest.raises(UserError, match=r"no such checkpoint\. This run has: best\."):
        read_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="none yet"):
        read_checkpoint(tmp_path / "nowhere" / "last.ckpt")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"modalities": ("camera", "table")}, "only here: .*camera"),
        ({"modalities": ("table",), "core": "none"}, "only there: core"),
        ({"modalities": ("table",), "targets": ("kind",)}, "only there: targets.signs"),
    ],
)
def test_of_another_architecture_it_names_the_first_differences(tmp_path, other, says):
    path = save(tiny.model(("table",)), tmp_path / "last.ckpt")
    model = tiny.model(**other)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(UserError, match=f"(?s)another architecture.*{says}"):
        load_weights(model, path)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_of_another_width_it_names_the_shapes(tmp_path):
    state = {f"model.{k}": v for k, v in tiny.model(("table",)).state_dict().items()}
    state["model.targets.kind.head.1.weight"] = torch.zeros(5, tiny.WIDTH)
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"targets\.kind\.head\.1\.weight is \(5, 16\) there, \(3, 16\) here"):
        load_weights(tiny.model(("table",)), tmp_path / "last.ckpt")


class Code:
    """Runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_does_not_run(tmp_path, zipped):
    mark, path = tmp_path / "ran", tmp_path / "last.ckpt"
    if zipped:
        torch.save({"state_dict": Code(mark)}, path)
    else:
        path.write_bytes(pickle.dumps({"state_dict": Code(mark)}))
    with pytest.raises(UserError, match="not a readable checkpoint"):
        read_checkpoint(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if zipped else pickle.loads(path.read_bytes())
    assert mark.exists()  # it would have


def test_a_changed_byte_is_found(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"model.a": torch.zeros(1000)}}, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="does not have the bytes that were written"):
        read_checkpoint(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_torchs_own_error_on_a_full_disk_is_seen_through():
    # torch raises a RuntimeError, or the system's error comes once more at the end, as the buffers have it
    with pytest.raises((RuntimeError, OSError)) as caught, open("/dev/full", "wb") as file:
        torch.save({"a": torch.zeros(100_000)}, file)
    assert disk_fault(caught.value) == "No space left on device"
