"""Images: PNG, JPEG, TIFF and BMP, NumPy arrays, NIfTI and DICOM → float32 (C, H, W) in stored values.

Grey becomes three equal channels; colour becomes grey by ITU-R BT.601 luma (equal channels keep their exact
value). An alpha channel is dropped where it is opaque everywhere. Any other difference between the file's
channels and the modality's is a fault: guessing would hide a wrong file.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from crossfade.data.readers.arrays import load_array
from crossfade.data.readers.faults import Fault, finite, numeric, optional_package, reason
from crossfade.data.readers.volume import Slices, dicom_values, read_dicom_series, read_nifti_volume, take

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
ARRAYS = (".npy", ".npz")
NIFTI = (".nii", ".nii.gz")
DICOM = (".dcm", ".dicom")
EXTENSIONS = PICTURES + ARRAYS + NIFTI + DICOM

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float64)  # ITU-R BT.601


def read_image(path: Path, channels: int, slices: Slices | None = None) -> np.ndarray:
    """An image file as float32 (channels, H, W), all finite; with `slices` these of a volume (`readers.volume`).

    Units: 8- or 16-bit grey levels; HU or the file's rescaled unit for DICOM and NIfTI; as stored for arrays.
    Raises Fault where the file is corrupt, truncated, of another shape, or holds NaN or inf.
    """
    name = path.name.lower()
    if slices is not None:
        if path.is_dir():
            return take(read_dicom_series(path), slices, channels)
        if name.endswith(NIFTI):
            return take(read_nifti_volume(path), slices, channels)
        raise Fault("is no volume: `slices` is for NIfTI files and for folders that hold a DICOM series")
    if name.endswith(PICTURES):
        return _fit(_picture(path), channels, colour=True)
    if name.endswith(ARRAYS):
        return _fit(_planes(load_array(path), channels), channels)
    if name.endswith(NIFTI):
        return _fit(_planes(_nifti(path), channels), channels)
    if name.endswith(DICOM):
        return _dicom(path, channels)
    raise Fault(f"unknown image extension {path.suffix!r}; readable: {', '.join(EXTENSIONS)}")


def _picture(path: Path) -> np.ndarray:
    """(C, H, W) of a Pillow format; C is 1, 3 or (transparent) 4."""
    data = path.read_bytes()
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        if data.startswith(b"\x89PNG"):
            Image.open(io.BytesIO(data)).verify()  # checksums, which decoding alone skips
        image: Image.Image = Image.open(io.BytesIO(data))
        frames = getattr(image, "n_frames", 1)
        image.load()
        image = ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:  # its text names no more than an object in memory
        raise Fault("not a readable image, corrupt or truncated: no picture format is recognised") from error
    except Exception as error:  # the decoder raises all sorts; each means a bad file
        raise Fault(f"not a readable image, corrupt or truncated: {reason(error)}") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
    if frames > 1 and image.format != "MPO":  # MPO: a camera's JPEG with a preview as second frame
        raise Fault(f"holds {frames} frames, expected one")
    return _pixels(image)


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "YCbCr":
        image = image.convert("RGB")
    if image.mode not in ("L", "LA", "RGB", "RGBA") and not image.mode.startswith(("I", "F")):
        raise Fault(f"colour mode {image.mode} has no safe conversion; save it as grey or RGB")
    pixels = np.asarray(image)
    pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    if len(pixels) in (2, 4) and (pixels[-1] == 255).all():
        pixels = pixels[:-1]
    return finite(numeric(pixels, "the image"), "the image")


def _planes(array: np.ndarray, channels: int) -> np.ndarray:
    """(C, H, W) of an array that is (H, W) or (C, H, W), float32 and finite."""
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[0] not in (1, channels):
        hint = ""
        if array.ndim == 3 and array.shape[-1] in (1, channels):
            hint = "; it looks like (H, W, C): store it channels first"
        elif array.ndim >= 3:
            hint = "; no slice of a volume is picked for you: name those that you want in the modality's `slices`"
        raise Fault(f"has shape {array.shape}, expected (H, W) or ({channels}, H, W){hint}")
    return finite(numeric(array, "the array"), "the array")


def _nifti(path: Path) -> np.ndarray:
    """The stored array with its scale applied, axes as stored, trailing axes of length 1 dropped."""
    nibabel = optional_package("nibabel", path)
    try:
        array = np.asanyarray(nibabel.load(path).dataobj)
    except Exception as error:  # as above
        raise Fault(f"not a readable NIfTI file: {reason(error)}") from error
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    return array


def _dicom(path: Path, channels: int) -> np.ndarray:
    """(C, H, W) of one DICOM file: colour as stored, grey as `dicom_values` has it."""
    pydicom = optional_package("pydicom", path)
    try:
        dataset: Any = pydicom.dcmread(path)
        stored = np.asarray(dataset.pixel_array)
    except Exception as error:  # as above
        raise Fault(f"not a readable DICOM image: {reason(error)}") from error
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise Fault(f"holds {frames} frames; store the one that you want as a file of its own")
    if stored.ndim == 3:
        colour = np.moveaxis(stored, -1, 0)
        return _fit(finite(numeric(colour, "the image"), "the image"), channels, colour=True)
    return _fit(_planes(dicom_values(dataset, stored), channels), channels)


def _fit(image: np.ndarray, channels: int, colour: bool = False) -> np.ndarray:
    """`image` (C, H, W) with `channels` channels, where that is safe; `colour`: three channels are R, G, B."""
    have = len(image)
    if have == channels:
        return image
    if have == 1 and channels == 3:
        return np.repeat(image, 3, axis=0)
    if have == 3 and channels == 1 and colour:
        if (image == image[:1]).all():
            return image[:1].copy()
        return np.tensordot(LUMA, image, axes=1).astype(np.float32)[None]
    alpha = " (the last is a transparency that is in use)" if colour and have in (2, 4) else ""
    raise Fault(f"has {have} channels{alpha}, the modality has channels: {channels}")
