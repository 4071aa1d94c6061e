"""Volumes: a DICOM series in a folder and NIfTI files, whose slices the modality names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossfade.data.manifest import ManifestSource
from crossfade.data.readers import Fault, read_file
from crossfade.data.readers.image import read_image
from crossfade.data.readers.volume import read_dicom_series, read_nifti_volume
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

VOLUME = np.arange(4 * 3 * 5, dtype=np.int16).reshape(4, 3, 5)  # slice, row, column
AXIAL = [1, 0, 0, 0, 1, 0]


def save_slice(path: Path, stored: np.ndarray, z: float, series: str = "1.2", **tags: object) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = series
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-10, -20, z], AXIAL
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.8], 9
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = stored.astype(np.int16).tobytes()
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Four slices 2.5 mm apart; the files' names are in another order than their places."""
    folder = tmp_path / "ct"
    folder.mkdir()
    for number, name in enumerate(["c.dcm", "a.dcm", "d", "b.dcm"]):
        save_slice(folder / name, VOLUME[number], -5 + 2.5 * number, RescaleSlope=2, RescaleIntercept=-1024)
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    return folder


def test_a_series_is_sorted_by_place_in_hounsfield_units(series: Path) -> None:
    volume = read_dicom_series(series)
    np.testing.assert_array_equal(volume.voxels, VOLUME * 2.0 - 1024)
    assert volume.spacing == pytest.approx((2.5, 0.7, 0.8))


@pytest.mark.parametrize(
    ("slices", "numbers"), [([0, -1], [0, 3]), ([2], [2]), ("middle", [2]), ("middle", [2, 3]), ("middle", [1, 2, 3])]
)
def test_the_named_slices_become_the_channels(series: Path, slices: object, numbers: list[int]) -> None:
    spec = ModalitySpec(name="ct", kind="image", channels=len(numbers), slices=slices)
    np.testing.assert_array_equal(read_file(series, spec), VOLUME[numbers] * 2.0 - 1024)


def test_slices_are_never_picked_silently(series: Path) -> None:
    with pytest.raises(Fault, match="is a folder, not a file"):
        read_file(series, ModalitySpec(name="ct", kind="image"))
    with pytest.raises(Fault, match="4 slices, numbers 0 to 3; slice 4 is asked for"):
        read_image(series, 1, [4])
    with pytest.raises(Fault, match="2 slices are asked for, the modality has channels: 1"):
        read_image(series, 1, [0, 1])
    with pytest.raises(Fault, match="has 4 slices, 5 about the middle"):
        read_image(series, 5, "middle")
    np.save(series.parent / "a.npy", VOLUME[0])
    with pytest.raises(Fault, match="is no volume"):
        read_image(series.parent / "a.npy", 1, "middle")


def test_what_is_wrong_with_a_series_is_said(series: Path, tmp_path: Path) -> None:
    (series / "d").unlink()
    with pytest.raises(Fault, match=r"a\.dcm and b\.dcm lie 5 mm apart.*a slice is missing"):
        read_dicom_series(series)
    save_slice(series / "d", VOLUME[2], -2.5)
    with pytest.raises(Fault, match=r"lie in the same place, -2\.5 mm"):
        read_dicom_series(series)
    save_slice(series / "d", VOLUME[2], 0, series="1.3")
    with pytest.raises(Fault, match="holds 2 DICOM series"):
        read_dicom_series(series)
    save_slice(series / "d", VOLUME[2], 0, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    with pytest.raises(Fault, match="at an angle"):
        read_dicom_series(series)
    save_slice(series / "d", VOLUME[2, :2], 0)
    with pytest.raises(Fault, match="different sizes"):
        read_dicom_series(series)
    save_slice(series / "d", VOLUME[2], 0, ImagePositionPatient=None)
    with pytest.raises(Fault, match="d has no ImagePositionPatient"):
        read_dicom_series(series)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Fault, match="without a DICOM file"):
        read_dicom_series(tmp_path / "empty")


def test_sagittal_slices_are_sorted_along_their_normal(tmp_path: Path) -> None:
    for number in range(3):
        tags = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "ImagePositionPatient": [4.0 * number, 0, 0]}
        save_slice(tmp_path / f"{number}.dcm", VOLUME[number], 0, **tags)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.voxels, VOLUME[[2, 1, 0]])  # rows × columns = (−1, 0, 0): the normal
    assert volume.spacing[0] == 4.0


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("axes", ["LPS", "RAS", "SAL"])
def test_a_nifti_volume_of_any_orientation_is_seen_as_the_dicom_series(tmp_path: Path, name: str, axes: str) -> None:
    nibabel = pytest.importorskip("nibabel")
    lps = VOLUME.transpose(2, 1, 0)  # columns run to the left, rows to the back, slices to the head
    affine = np.diag([-0.8, -0.7, 2.5, 1.0])
    image = nibabel.Nifti1Image(lps, affine)
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("LPS"), nibabel.orientations.axcodes2ornt(axes)
    )
    image = image.as_reoriented(turn)
    assert "".join(nibabel.aff2axcodes(image.affine)) == axes
    nibabel.save(image, tmp_path / name)
    volume = read_nifti_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.voxels, VOLUME)
    assert volume.spacing == pytest.approx((2.5, 0.7, 0.8))
    np.testing.assert_array_equal(read_image(tmp_path / name, 2, [3, 0]), VOLUME[[3, 0]])


def test_a_nifti_that_is_flat_or_damaged_is_a_fault(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(VOLUME[0], np.eye(4)), tmp_path / "flat.nii")
    with pytest.raises(Fault, match="expected a volume"):
        read_nifti_volume(tmp_path / "flat.nii")
    (tmp_path / "bad.nii").write_bytes(b"junk")
    with pytest.raises(Fault, match="not a readable NIfTI"):
        read_nifti_volume(tmp_path / "bad.nii")


def test_a_manifest_names_series_and_their_files_are_in_its_fingerprint(series: Path) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "ct": ["ct", ""], "label": ["x", "y"]})
    ct = ModalitySpec(name="ct", kind="image", column="ct", channels=2, slices=[1, 2])
    target = {"label": TargetSpec(name="label", kind="multiclass", column="label")}

    def source(spec: ModalitySpec) -> ManifestSource:
        return ManifestSource({"ct": spec}, target, manifest=table, root=series.parent)

    made = source(ct)
    np.testing.assert_array_equal(made.frame().present, [[True], [False]])
    np.testing.assert_array_equal(made.read(0)["ct"], VOLUME[[1, 2]] * 2.0 - 1024)
    before = made.fingerprint()
    assert before != source(ct.model_copy(update={"slices": [0, 1]})).fingerprint()
    save_slice(series / "d", VOLUME[2] + 1, 0, PatientComments="longer")
    assert before != source(ct).fingerprint()


@pytest.mark.parametrize("package", ["nibabel", "pydicom"])
def test_a_missing_package_names_its_extra(series: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    path = series
    if package == "nibabel":
        path = series.parent / "a.nii"
        path.write_bytes(b"")
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr("importlib.import_module", lambda n: (_ for _ in ()).throw(ModuleNotFoundError(name=n)))
    with pytest.raises(UserError, match=rf'{package}.*pip install "crossfade\[medical\]"'):
        read_image(path, 1, "middle")
