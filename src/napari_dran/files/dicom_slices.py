"""A slice that is to be written as DICOM: how its values are stored, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .dicom_elements import decimal, remove, remove_tables
from .dicom_pixels import Scale, to_stored


@dataclass
class Slice:
    """A slice's tags, its real values, and how they are stored."""

    dataset: Any
    values: np.ndarray
    scale: Scale


def as_rgb(slices: list[Slice]) -> list[Slice]:
    """Prepare colour slices of 8 or 16 bits a sample."""
    dtype = slices[0].values.dtype
    if dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"DICOM holds colours of 8 or 16 bits, and this volume's are {dtype}. "
            "Convert them to uint8 or uint16 first, or write TIFF."
        )
    for one in slices:
        one.values, one.scale, dataset = one.values[..., :3], Scale(), one.dataset
        remove_tables(dataset)
        remove(dataset, "RescaleSlope", "RescaleIntercept", "RescaleType", "PixelPaddingValue")
        remove(dataset, "ModalityLUTSequence", "UltrasoundColorDataPresent")
        dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
        dataset.PhotometricInterpretation = "RGB"
        _set_bits(dataset, 8 * dtype.itemsize, signed=False)
    return slices


def as_16_bit(slices: list[Slice], data: np.ndarray) -> list[Slice]:
    """Choose new stored values for grey slices: as they are if they fit, else scaled."""
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    whole = data.dtype.kind != "f" or bool(np.all(finite == np.rint(finite)))
    scale = Scale()
    if whole and low >= 0 and high < 256 and data.dtype.itemsize == 1:
        bits, signed = 8, False
    elif whole and low < 0 and low >= -(2**15) and high < 2**15:
        bits, signed = 16, True
    else:
        bits, signed = 16, False
        if not (whole and low >= 0 and high < 2**16):
            # The numbers that the file will say, rounded to 16 characters, are the ones to
            # divide by. Python floats: the range of float64 data may overflow.
            slope = (high / 65535 - low / 65535) or 1.0
            scale = Scale(float(decimal(slope)), float(decimal(low)))
    for one in slices:
        dataset = one.dataset
        one.scale = scale
        remove_tables(dataset)
        remove(dataset, "ModalityLUTSequence", "PixelPaddingValue", "PixelPaddingRangeLimit")
        remove(dataset, "PlanarConfiguration", "DoseGridScaling")
        if scale != Scale() or "RescaleSlope" in dataset:
            dataset.RescaleSlope = decimal(scale.slope)
            dataset.RescaleIntercept = decimal(scale.intercept)
            dataset.RescaleType = dataset.get("RescaleType") or "US"
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        _set_bits(dataset, bits, signed)
    return slices


def _set_bits(dataset: Any, bits: int, signed: bool) -> None:
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(signed)


def save(one: Slice, path: Path) -> None:
    """Write one file, uncompressed."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = one.dataset
    if one.values.ndim == 3:
        stored = np.ascontiguousarray(one.values)
    else:
        stored = to_stored(one.values, one.scale, dataset)
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.BitsAllocated = 8 * stored.dtype.itemsize
    dataset.HighBit = int(dataset.BitsStored) - 1
    raw = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset.add_new(
        "PixelData", "OB" if stored.dtype.itemsize == 1 else "OW", raw + b"\0" * (len(raw) % 2)
    )
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    # The pixels are on disk now; the list of slices lives on.
    del dataset.PixelData
