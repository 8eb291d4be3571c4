"""Arranging the frames of a DICOM series as slices, and as volumes in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import FileReadError
from .dicom_frames import Frame, Plane


class GeometryWarning(UserWarning):
    """The slices of a scan do not lie as evenly as a volume's."""


@dataclass(frozen=True)
class Grid:
    """Frames in the order of a volume.

    Parameters
    ----------
    frames : list of Frame
        All of them, slice by slice, time point by time point.
    times, slices : int
        How many of each; one time point means there is no time axis.
    affine : ndarray
        float64 (4, 4), indices (slice, row, column) to world (z, y, x) in ``unit``.
    unit : str
        "mm", or "pixel" if the files give no distances.
    time_step : float or None
        Seconds.
    warnings : list of str
        What a user should know about the geometry.
    """

    frames: list[Frame]
    times: int
    slices: int
    affine: np.ndarray
    unit: str
    time_step: float | None = None
    warnings: list[str] = field(default_factory=list)


def arrange(frames: Sequence[Frame], cine: bool = False) -> Grid:
    """Put frames in order by where and when they were taken.

    Parameters
    ----------
    frames : sequence of Frame
        At least one.
    cine : bool
        Whether frames without a position are time points rather than slices.

    Raises
    ------
    FileReadError
        They are of different sizes.
    """
    _check_sizes(frames)
    messages = []
    planes = [frame.plane for frame in frames if frame.plane is not None]
    spacing = frames[0].spacing
    if len(planes) == len(frames) and spacing is not None:
        directions = count_directions(frames)
        if directions == 1:
            return _in_space(frames, planes, spacing)
        messages.append(
            f"The {len(frames)} images lie in {directions} different directions or resolutions, as "
            "in a localiser: they are stacked in the order of their numbers, without a place in "
            "the patient."
        )
    elif 0 < len(planes) < len(frames):
        messages.append(
            f"{len(frames) - len(planes)} of the {len(frames)} images do not say where they lie: "
            "all are stacked in the order of their numbers, without a place in the patient."
        )
    return _without_place(frames, cine, messages)


def _check_sizes(frames: Sequence[Frame]) -> None:
    sizes: dict[tuple[int, int], list[Frame]] = {}
    for frame in frames:
        sizes.setdefault(frame.shape, []).append(frame)
    if len(sizes) > 1:
        found = ", ".join(
            f"{len(members)} of {rows} x {columns} (e.g. {members[0].label})"
            for (rows, columns), members in sizes.items()
        )
        raise FileReadError(
            f"The images of this series differ in size: {found}. Expected one size. "
            "Open the images of one size from a folder of their own."
        )


def count_directions(frames: Sequence[Frame]) -> int:
    """Count the directions and resolutions of those frames that say where they lie."""
    seen: list[np.ndarray] = []
    for frame in frames:
        if frame.plane is None or frame.spacing is None:
            continue
        directions = np.concatenate([frame.plane.along_row, frame.plane.along_column])
        # A thousandth: what rounded cosines differ by, and less than a pixel in a slice.
        here = np.concatenate([directions, np.log(frame.spacing)])
        if not any(np.allclose(here, other, atol=1e-3) for other in seen):
            seen.append(here)
    return len(seen)


def _in_space(
    frames: Sequence[Frame], planes: Sequence[Plane], spacing: tuple[float, float]
) -> Grid:
    plane = planes[0]
    positions = np.array([p.position for p in planes])
    depths = positions @ plane.normal
    order = np.argsort(depths, kind="stable")
    tolerance = 0.01 * min(1.0, *spacing)
    starts = np.flatnonzero(np.diff(depths[order], prepend=-np.inf) > tolerance)
    places = [list(group) for group in np.split(order, starts[1:])]
    counts = {len(place) for place in places}
    step = plane.normal * (frames[0].thickness or 1.0)
    if len(counts) == 1:
        for place in places:
            place.sort(key=lambda i: frames[i].order)
        times, slices = len(places[0]), len(places)
        indices = [place[t] for t in range(times) for place in places]
        firsts = indices[:slices]
        if slices > 1:
            step = (positions[firsts[-1]] - positions[firsts[0]]) / (slices - 1)
        labels = [frames[i].label for i in firsts]
        messages = _uneven(positions[firsts], plane.normal, spacing, labels)
    else:
        indices = sorted(range(len(frames)), key=lambda i: frames[i].order)
        times, slices = 1, len(frames)
        messages = [
            f"The {len(frames)} images lie at {len(places)} places, {min(counts)} to {max(counts)} "
            "at each, so they form no regular series of volumes: they are stacked in the order of "
            "their numbers, and distances between slices mean nothing. Are files missing?"
        ]
    affine = np.eye(4)
    columns = [step, plane.along_column * spacing[0], plane.along_row * spacing[1]]
    affine[:3, :3] = np.stack(columns, axis=1)[::-1]
    affine[:3, 3] = positions[indices[0]][::-1]
    ordered = [frames[i] for i in indices]
    return Grid(ordered, times, slices, affine, "mm", _time_step(ordered, times, slices), messages)


def _uneven(
    positions: np.ndarray, normal: np.ndarray, spacing: tuple[float, float], labels: list[str]
) -> list[str]:
    """Say what is wrong with the distances between slices, if anything."""
    if len(positions) < 2:
        return []
    messages = []
    total = positions[-1] - positions[0]
    along = float(total @ normal)
    aside = float(np.linalg.norm(total - along * normal))
    angle = float(np.degrees(np.arctan2(aside, along)))
    if aside > 0.1 * min(spacing) and angle > 0.1:
        messages.append(
            f"The slices are shifted against each other by {angle:.1f} degrees (gantry tilt): the "
            "volume is a slanted box. Its geometry is kept with that shear; programs that do not "
            "know shear will show it upright."
        )
    gaps = np.diff(positions @ normal)
    usual, even = float(np.median(gaps)), along / len(gaps)
    odd = np.flatnonzero(np.abs(gaps - usual) > max(0.02 * usual, 0.01))
    if len(odd):
        shown = ", ".join(
            f"{gaps[i]:.4g} mm between {labels[i]} and {labels[i + 1]}" for i in odd[:3]
        )
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        missing = sum(max(0, round(gaps[i] / usual) - 1) for i in odd)
        plural = "slice seems" if missing == 1 else "slices seem"
        guess = f" {missing} {plural} to be missing." if missing else ""
        messages.append(
            f"The slices are not evenly spaced: {usual:.4g} mm as a rule, but {shown}{more}."
            f"{guess} The volume has an even {even:.4g} mm from first to last."
        )
    line = positions[0] + np.outer(np.arange(len(positions)) / len(gaps), total)
    beside = (positions - line) - np.outer((positions - line) @ normal, normal)
    off = float(np.linalg.norm(beside, axis=1).max())
    if off > max(0.5 * min(spacing), 0.01) and not len(odd):
        messages.append(
            f"The slices do not lie on a straight line: some are up to {off:.3g} mm beside it. "
            "The volume has them on the line from first to last."
        )
    return messages


def _without_place(frames: Sequence[Frame], cine: bool, messages: list[str]) -> Grid:
    def rank(frame: Frame) -> tuple[float, ...]:
        instance = frame.order[6]
        return (frame.temporal or 0, instance, frame.file, frame.number)

    ordered = sorted(frames, key=rank)
    positions: dict[int | None, int] = {}
    for frame in ordered:
        positions[frame.temporal] = positions.get(frame.temporal, 0) + 1
    times = 1
    if None not in positions and len(positions) > 1 and len(set(positions.values())) == 1:
        times = len(positions)
    elif cine:
        times = len(ordered)
    slices = len(ordered) // times
    first = ordered[0]
    affine = np.eye(4)
    if first.spacing is not None:
        affine = np.diag([first.thickness or 1.0, *first.spacing, 1.0])
    unit = "pixel" if first.spacing is None else "mm"
    return Grid(ordered, times, slices, affine, unit, _time_step(ordered, times, slices), messages)


def _time_step(ordered: list[Frame], times: int, slices: int) -> float | None:
    """Seconds between time points, if they are even and nothing else changes."""
    column = ordered[::slices]
    if times < 2 or len({frame.kind for frame in column}) > 1:
        return None
    for clock in zip(*(frame.clocks for frame in column), strict=True):
        moments = [moment for moment in clock if moment is not None]
        if len(moments) < times:
            continue
        gaps = np.diff(moments)
        usual = float(np.median(gaps))
        if usual > 0 and float(np.abs(gaps - usual).max()) <= 0.05 * usual:
            return usual
    return None
