"""Pixels of DICOM files: decompression, colour, and stored values to real ones and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileReadError
from .dicom_series import damaged, frame_count, quiet

PHYSICAL = ("PT",)
"""Modalities whose values are measurements even where the display is to be inverted."""


def stored_frames(path: Path, header: Any) -> np.ndarray:
    """Decode the pixels of a file.

    Parameters
    ----------
    path : Path
        The file.
    header : pydicom Dataset
        Its dataset without pixels.

    Returns
    -------
    ndarray
        Stored values, (frame, row, column) of the file's number type, or
        (frame, row, column, 3) as RGB, whatever colour space was stored.

    Raises
    ------
    FileReadError
        No decoder for the compression, no pixels, or fewer than promised.
    """
    from pydicom.pixels import apply_color_lut, pixel_array

    _check_decoder(path, header)
    photometric = str(header.get("PhotometricInterpretation"))
    try:
        with quiet():
            array = np.asarray(pixel_array(_pixel_source(path, header)))
            if photometric == "PALETTE COLOR":
                array = _as_8_bit(np.asarray(apply_color_lut(array, header)))
    except MemoryError as error:
        raise FileReadError(
            f"Could not read {path}: it does not fit into memory. Close other programs."
        ) from error
    except Exception as error:
        # Decoders raise whatever they trip over.
        raise damaged(path, error) from error
    if frame_count(header) == 1:
        array = array[np.newaxis]
    if array.ndim == 4 or array.dtype.kind not in "iu":
        return array
    array = _stored_bits(array, header)
    if is_inverted(header):
        low, high = stored_range(header)
        # The highest code stands for black: turned round so that larger is brighter.
        array = (low + high - array.astype(np.int64)).astype(array.dtype)
    return array


def _pixel_source(path: Path, header: Any) -> Any:
    """Return what pydicom can read pixels from: the path, for all but odd files."""
    import pydicom

    meta = getattr(header, "file_meta", {})
    syntax = meta.get("TransferSyntaxUID")
    if syntax is not None and not syntax.is_deflated:
        return path
    dataset = pydicom.dcmread(path, force=True)
    if syntax is None:
        implicit, little = header.original_encoding
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ExplicitVRBigEndian
            if not little
            else pydicom.uid.ImplicitVRLittleEndian
            if implicit
            else pydicom.uid.ExplicitVRLittleEndian
        )
    return dataset


def _check_decoder(path: Path, header: Any) -> None:
    from pydicom.pixels import get_decoder

    syntax = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if syntax is None or not syntax.is_encapsulated:
        return
    try:
        decoder = get_decoder(syntax)
        available = decoder.is_available
    except NotImplementedError:
        # What pydicom raises for a compression that it has no decoder class for.
        available = False
    if not available:
        raise FileReadError(
            f"Could not read {path}: its pixels are compressed as {syntax.name}, for which no "
            "decoder is installed. Run pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, "
            "or convert the file to an uncompressed one."
        )


def _as_8_bit(colours: np.ndarray) -> np.ndarray:
    """Bring 16-bit palette colours to the 8 bits that a screen shows."""
    if colours.dtype != np.uint16:
        return colours
    # Entries are either 8 bits moved up, or 8 bits doubled: the upper half has it all.
    return (colours >> 8).astype(np.uint8)


def _stored_bits(array: np.ndarray, header: Any) -> np.ndarray:
    """Cut what is not part of the value, such as overlays in unused bits, and set the sign."""
    allocated, stored = array.dtype.itemsize * 8, int(header.get("BitsStored") or 0)
    high = int(header.get("HighBit") or stored - 1)
    if not 0 < stored <= high + 1 <= allocated or stored == allocated:
        return array
    if (array.dtype.kind == "i") != bool(header.get("PixelRepresentation")):
        return array
    shifted: np.ndarray = np.left_shift(array, allocated - 1 - high)
    return np.asarray(np.right_shift(shifted, allocated - stored))


def stored_range(header: Any) -> tuple[int, int]:
    """Return the lowest and highest value that BitsStored and the sign allow."""
    bits = int(header.get("BitsStored") or header.BitsAllocated)
    if header.get("PixelRepresentation"):
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


def is_inverted(header: Any) -> bool:
    """Whether reading turns dark and bright round."""
    return (
        header.get("PhotometricInterpretation") == "MONOCHROME1"
        and header.get("Modality") not in PHYSICAL
    )


@dataclass(frozen=True)
class Scale:
    """Stored values to real ones: real = stored x slope + intercept."""

    slope: float = 1.0
    intercept: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether integers stay integers."""
        return float(self.slope).is_integer() and float(self.intercept).is_integer()


def to_real(frames: list[np.ndarray], scales: Iterable[Scale]) -> np.ndarray:
    """Stack frames of stored values as real values.

    Parameters
    ----------
    frames : list of ndarray
        Of one shape. The list is emptied, to give the memory back on the way.
    scales : iterable of Scale
        One a frame.

    Returns
    -------
    ndarray
        The stored type if no frame is scaled; else, if slopes and intercepts are
        whole numbers, the first of int16, int32, int64 that holds all values; else
        float32, or float64 where float32 could not tell the stored values apart.
    """
    scales = list(scales)
    dtype = _real_dtype(frames, scales)
    result = np.empty((len(frames), *frames[0].shape), dtype)
    frames.reverse()
    for index, scale in enumerate(scales):
        frame = frames.pop()
        if scale == Scale():
            result[index] = frame
        else:
            # float64 is exact for whole numbers too, up to 2**53.
            result[index] = frame * np.float64(scale.slope) + scale.intercept
    return result


def _real_dtype(frames: list[np.ndarray], scales: list[Scale]) -> np.dtype[Any]:
    stored = np.result_type(*{frame.dtype for frame in frames})
    if all(scale == Scale() for scale in scales):
        return stored
    if stored.kind == "f":
        return np.result_type(stored, np.float32)
    extremes = [(int(frame.min()), int(frame.max())) for frame in frames]
    if all(scale.exact for scale in scales):
        values = [
            end * scale.slope + scale.intercept
            for ends, scale in zip(extremes, scales, strict=True)
            for end in ends
        ]
        low, high = min(values), max(values)
        for candidate in (np.int16, np.int32, np.int64):
            limits = np.iinfo(candidate)
            if limits.min <= low and high <= limits.max:
                return np.dtype(candidate)
    # float32 has 24 bits; half a stored step must stay well above its last one.
    codes = max(
        max(abs(low), abs(high)) + abs(scale.intercept / scale.slope)
        for (low, high), scale in zip(extremes, scales, strict=True)
    )
    return np.dtype(np.float32 if codes < 2**21 else np.float64)


def to_stored(values: np.ndarray, scale: Scale, header: Any) -> np.ndarray:
    """Turn real values back into the stored ones of a file.

    Parameters
    ----------
    values : ndarray
        One frame, numbers; not-a-number becomes the padding value if the file has
        one, else 0.
    scale : Scale
        Its scale.
    header : pydicom Dataset
        The file's, for BitsStored, sign and MONOCHROME1.

    Returns
    -------
    ndarray
        Rounded, and kept inside the stored range, of the type BitsAllocated asks.
    """
    low, high = stored_range(header)
    if values.dtype.kind in "biu" and scale == Scale():
        codes = values.astype(np.int64)
    else:
        exact = (values.astype(np.float64) - scale.intercept) / scale.slope
        if is_inverted(header):
            exact = np.where(np.isnan(exact), exact, low + high - exact)
        zero = -scale.intercept / scale.slope
        return rounded(exact, low, high, _padding(header, zero)).astype(_stored_dtype(header))
    if is_inverted(header):
        codes = low + high - codes
    return np.clip(codes, low, high).astype(_stored_dtype(header))


def rounded(values: np.ndarray, low: int, high: int, missing: float = 0.0) -> np.ndarray:
    """Round to the nearest int64 inside a range; not-a-number becomes ``missing``."""
    values = np.where(np.isnan(values), missing, values)
    # Halves go up, like the rest of a value from .5 on.
    return np.clip(np.floor(values + 0.5), low, high).astype(np.int64)


def _padding(header: Any, default: float) -> float:
    value = header.get("PixelPaddingValue")
    return float(value) if isinstance(value, int) else default


def _stored_dtype(header: Any) -> np.dtype[Any]:
    bits = int(header.get("BitsStored") or header.BitsAllocated)
    size = max(1 if bits <= 8 else 2 if bits <= 16 else 4, int(header.BitsAllocated) // 8)
    return np.dtype(f"{'i' if header.get('PixelRepresentation') else 'u'}{size}")
