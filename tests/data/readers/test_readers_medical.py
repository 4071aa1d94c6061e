"""NIfTI and DICOM: stored values with their scale, and volumes refused with a word on what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from crossfade.data.readers import Fault
from crossfade.data.readers.image import read_image
from crossfade.errors import UserError

STORED = np.arange(12, dtype=np.int16).reshape(3, 4) * 100


def save_nifti(path: Path, array: np.ndarray, slope: float = 1.0, inter: float = 0.0) -> Path:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(array, np.eye(4))
    nibabel.save(image, path)
    if (slope, inter) != (1.0, 0.0):
        data = bytearray(path.read_bytes())
        data[112:120] = np.array([slope, inter], "<f4").tobytes()  # scl_slope, scl_inter of the NIfTI-1 header
        path.write_bytes(data)
    return path


def save_dicom(path: Path, stored: np.ndarray, **tags: object) -> Path:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = stored.shape[-2:] if stored.shape[-1] != 3 else stored.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = stored.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(stored.dtype.kind == "i")
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = stored.tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_slice_comes_back_exactly(tmp_path: Path, name: str) -> None:
    np.testing.assert_array_equal(read_image(save_nifti(tmp_path / name, STORED), 1)[0], STORED)
    np.testing.assert_array_equal(read_image(save_nifti(tmp_path / name, STORED[..., None]), 1)[0], STORED)


def test_nifti_scale_is_applied(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", STORED, 2.0, -1024.0)
    np.testing.assert_array_equal(read_image(path, 1)[0], STORED * 2.0 - 1024.0)


def test_nifti_channels_first_and_volumes(tmp_path: Path) -> None:
    volume = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    path = save_nifti(tmp_path / "a.nii", volume)
    np.testing.assert_array_equal(read_image(path, 3), volume)
    with pytest.raises(Fault, match=r"shape \(3, 4, 5\).*no slice of a volume is picked"):
        read_image(path, 1)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.dcm"])
def test_corrupt_and_truncated_medical_files_are_faults(tmp_path: Path, name: str) -> None:
    path = (save_dicom if name.endswith("dcm") else save_nifti)(tmp_path / name, STORED)
    data = path.read_bytes()
    for content in (data[: len(data) - 8], data[: len(data) // 2], b"", b"junk"):
        path.write_bytes(content)
        with pytest.raises(Fault, match="not a readable"):
            read_image(path, 1)


def test_nan_in_a_nifti_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="1 NaN"):
        read_image(save_nifti(tmp_path / "a.nii", np.array([[1.0, np.nan]], np.float32)), 1)


def test_dicom_is_in_hounsfield_units(tmp_path: Path) -> None:
    path = save_dicom(tmp_path / "a.dcm", STORED, RescaleSlope=2, RescaleIntercept=-1024)
    np.testing.assert_array_equal(read_image(path, 1)[0], STORED * 2.0 - 1024.0)
    np.testing.assert_array_equal(read_image(path, 3)[2], STORED * 2.0 - 1024.0)


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.uint8, 0, 255), (np.int16, -32768, 32767)])
def test_monochrome1_is_inverted(tmp_path: Path, dtype: type, low: int, high: int) -> None:
    stored = np.array([[low, 3], [high, 7]], dtype)
    path = save_dicom(tmp_path / "a.dcm", stored, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_image(path, 1)[0], [[high, low + high - 3], [low, low + high - 7]])


def test_several_dicom_frames_are_a_fault(tmp_path: Path) -> None:
    path = save_dicom(tmp_path / "a.dcm", np.stack([STORED, STORED]), NumberOfFrames=2)
    with pytest.raises(Fault, match="2 frames"):
        read_image(path, 1)


def test_colour_dicom(tmp_path: Path) -> None:
    colour = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    path = save_dicom(tmp_path / "a.dcm", colour, **tags)
    np.testing.assert_array_equal(read_image(path, 3), np.moveaxis(colour, -1, 0))


@pytest.mark.parametrize(("name", "package"), [("a.nii", "nibabel"), ("a.dcm", "pydicom")])
def test_a_missing_package_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    (tmp_path / name).write_bytes(b"")
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr("importlib.import_module", lambda n: (_ for _ in ()).throw(ModuleNotFoundError(name=n)))
    with pytest.raises(UserError, match=rf'{package}.*pip install "crossfade\[medical\]"'):
        read_image(tmp_path / name, 1)
