"""``napari-dran info``: what an image is and how noisy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from .console import show

if TYPE_CHECKING:
    from ..volume import Volume

NAMES = {"t": "time or direction", "c": "channel", "z": "z", "y": "y", "x": "x", "s": "colour"}
ENDS = {"z": "SI", "y": "PA", "x": "LR"}
"""Letters of the two ends of each world axis: the one it runs towards first."""


def info(
    file: Annotated[Path, typer.Argument(help="Image file or DICOM folder.")],
    series: Annotated[
        str | None,
        typer.Option(help="Which series of a DICOM folder: number, UID or the end of the UID."),
    ] = None,
) -> None:
    """Show shape, geometry, noise level and a window for an image."""
    from ..files import read_volume

    volume = read_volume(file, series=series)
    for title, value in describe(volume).items():
        show(f"{title:<17} {value}")


def describe(volume: Volume) -> dict[str, str]:
    """Describe a volume: title -> text, in the order to show."""
    from ..intensity import choose_window, finite_range
    from ..noise import GREY_LEVELS, estimate_sigma

    low, high = finite_range(volume.data)
    lines = {
        "name": volume.name,
        "shape": " x ".join(str(length) for length in volume.shape),
        "axes": f"{volume.axes} ({', '.join(NAMES[axis] for axis in volume.axes)})",
        "spacing": _spacing(volume),
        "orientation": orientation(volume),
        "dtype": str(volume.dtype),
        "range": f"{_number(low)} to {_number(high)}",
    }
    if volume.time_step:
        lines["time step"] = f"{volume.time_step:g} s"
    missing = int(np.count_nonzero(~np.isfinite(volume.data))) if volume.dtype.kind == "f" else 0
    if missing:
        lines["not finite"] = f"{missing} values, which are left as they are"
    window = choose_window(volume.data)
    if window is None:
        lines["estimated sigma"] = "none, the image is constant"
        return lines
    sigma = estimate_sigma(volume.data, volume.axes)
    lines["estimated sigma"] = (
        f"{sigma:.4g}, or {sigma / window.range * GREY_LEVELS:.1f} grey levels of 255 of the window"
    )
    if advice := _advice(volume):
        lines["suggested weights"] = advice
    lines["suggested window"] = f"{window} ({window.name})"
    if volume.history:
        lines["history"] = "; ".join(_done(entry) for entry in volume.history)
    return lines


def _advice(volume: Volume) -> str:
    """Name the weights that suit a grey image's noise, and why."""
    from ..denoising.suggestion import GREY, REAL
    from ..noise_kind import noise_kind
    from ..slices import sample_evenly, slice_indices

    if volume.rgb:
        return ""
    indices = sample_evenly(slice_indices(volume.shape, volume.axes))
    kind = noise_kind([np.asarray(volume.data[index]) for index in indices])
    if kind is None:
        return ""
    if kind.reasons:
        return f"{REAL}: the noise {', '.join(kind.reasons)}"
    return f"{GREY}: the noise looks white and Gaussian"


def orientation(volume: Volume) -> str:
    """Say where the axes of a volume run, and how its file stores them."""
    if volume.unit == "pixel" and np.allclose(volume.affine[:3, :3], np.eye(3)):
        return "unknown"
    steps = volume.affine[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    lengths[lengths == 0] = 1.0
    cosines = np.abs(np.diag(steps)) / lengths
    tilt = float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1))))
    towards = "z to the head, y to the back, x to the left"
    oblique = f", tilted by {tilt:.1f} degrees" if tilt > 0.05 else ""
    stored = _stored(volume)
    return f"{towards}{oblique}" + (f"; stored as {stored}" if stored else "")


def _stored(volume: Volume) -> str:
    """Name the directions in which the file's first, second and third axis run."""
    source = volume.source
    if source is None or source.format != "nifti" or len(source.permutation) != 3:
        return ""
    letters = ["?"] * 3
    for world, axis, flip in zip("zyx", source.permutation, source.flips, strict=True):
        letters[axis] = ENDS[world][int(flip)]
    return "".join(letters)


def _spacing(volume: Volume) -> str:
    values = " x ".join(f"{value:.4g}" for value in volume.spacing)
    return f"{values} {volume.unit} ({', '.join(volume.spatial_axes)})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def _done(entry: Any) -> str:
    what = entry.get("operation", "changed") if hasattr(entry, "get") else str(entry)
    weights = entry.get("weights") if hasattr(entry, "get") else None
    return f"{what} with {weights}" if weights else str(what)
