"""Detections in the format of COCO's results, which most evaluation tools read.

The compressed run lengths are those of COCO's masks: the lengths of runs of zeros
and ones in turn, down the columns, the first run of zeros; from the fourth on each
as its difference to the last but one; each as digits of five bits, lowest first, in
printable characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..files.atomic import writing

if TYPE_CHECKING:
    from .detections import Detection, Detections

_FIRST_CHARACTER = 48  # "0"
_DIGIT, _SIGN, _MORE = 0x1F, 0x10, 0x20
_BOX_DECIMALS = 2
_SCORE_DECIMALS = 6


def coco(results: Iterable[tuple[str, Detections]]) -> list[dict[str, Any]]:
    """Describe detections as entries of a COCO results file.

    Parameters
    ----------
    results : iterable of (str, Detections)
        The name of each image's file, and what was found in it.

    Returns
    -------
    list of dict
        One for each detection: "file_name"; "slice", its number along the axis of the
        slices, and "time" where there is one, both from 0; "bbox" [x, y, width,
        height] in pixels of the slice, the first of which spans 0 to 1; "score";
        "category", the name of the class; "segmentation", the mask of the whole slice,
        see :func:`rle_encode`.
    """
    return [
        _entry(file_name, item, found.slice_shape)
        for file_name, found in results
        for item in found.items
    ]


def write_coco(
    results: Iterable[tuple[str, Detections]], path: str | Path, overwrite: bool = False
) -> Path:
    """Write detections as a COCO results file: a list in JSON, one line a detection.

    Parameters
    ----------
    results : iterable of (str, Detections)
        As for :func:`coco`.
    path, overwrite
        As for :func:`~napari_dran.files.write_volume`, but a .json file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError, FileWriteError
        See :func:`~napari_dran.files.write_volume`.
    """
    path = Path(path).expanduser()
    lines = [json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in coco(results)]
    text = "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"
    with writing(path, overwrite, size=len(text)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def rle_encode(mask: np.ndarray) -> dict[str, Any]:
    """Compress a mask as COCO does.

    Parameters
    ----------
    mask : ndarray
        bool (rows, columns), or numbers that are taken as true where they are not 0.

    Returns
    -------
    dict
        "size" [rows, columns] and "counts", the run lengths as text.

    Raises
    ------
    InputError
        It has not two axes.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise InputError(
            f"Expected a mask of one slice, (rows, columns), got shape {mask.shape}. "
            "Encode slice by slice."
        )
    flat = mask.astype(bool).ravel(order="F")
    # Zeros come first, if need be none of them.
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    runs = np.diff(changes, prepend=0, append=flat.size)
    runs[3:] -= runs[1:-2].copy()
    counts = "".join(_number(run) for run in runs.tolist())
    return {"size": [int(length) for length in mask.shape], "counts": counts}


def rle_decode(rle: Mapping[str, Any]) -> np.ndarray:
    """Restore a mask that :func:`rle_encode` or a COCO tool compressed.

    Parameters
    ----------
    rle : mapping
        "size" and "counts" (text or bytes).

    Returns
    -------
    ndarray
        bool (rows, columns).

    Raises
    ------
    InputError
        The run lengths are damaged, or are not those of a mask of this size.
    """
    rows, columns = (int(length) for length in rle["size"])
    counts = rle["counts"]
    runs = _numbers(counts.encode() if isinstance(counts, str) else counts)
    for index in range(3, len(runs)):
        runs[index] += runs[index - 2]
    if min(runs, default=0) < 0 or sum(runs) != rows * columns:
        raise InputError(
            f"The run lengths add up to {sum(runs)} pixels, and a mask of {rows} x {columns} has "
            f"{rows * columns}: they are damaged, or of another slice."
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape((rows, columns), order="F")


def _entry(file_name: str, item: Detection, shape: tuple[int, int]) -> dict[str, Any]:
    y0, x0, y1, x1 = item.box
    box = (x0, y0, x1 - x0, y1 - y0)
    mask = np.zeros(shape, dtype=bool)
    mask[item.where] = item.mask
    entry: dict[str, Any] = {"file_name": file_name, "slice": int(item.position)}
    if item.time is not None:
        entry["time"] = int(item.time)
    return entry | {
        "bbox": [round(float(value), _BOX_DECIMALS) for value in box],
        "score": round(float(item.score), _SCORE_DECIMALS),
        "category": item.name,
        "segmentation": rle_encode(mask),
    }


def _number(value: int) -> str:
    """Write a whole number in digits of five bits; a sixth says that more follow."""
    characters = []
    while True:
        digit = value & _DIGIT
        value >>= 5
        if value == (-1 if digit & _SIGN else 0):
            characters.append(chr(digit + _FIRST_CHARACTER))
            return "".join(characters)
        characters.append(chr((digit | _MORE) + _FIRST_CHARACTER))


def _numbers(characters: Sequence[int]) -> list[int]:
    """Read what :func:`_number` wrote, one number after the other."""
    numbers, value, bits = [], 0, 0
    for character in characters:
        digit = character - _FIRST_CHARACTER
        if not 0 <= digit < 2 * _MORE:
            raise InputError(
                f"Run lengths hold the characters '0' to 'o' only, found {chr(character)!r}: "
                "they are damaged, or not compressed."
            )
        value |= (digit & _DIGIT) << bits
        bits += 5
        if not digit & _MORE:
            numbers.append(value - (1 << bits) if digit & _SIGN else value)
            value, bits = 0, 0
    if bits:
        raise InputError("The run lengths break off in the middle of a number: they are cut short.")
    return numbers
