"""What each frame of a DICOM file says about itself: where it lies, when, in what units.

Classic files say it at their top, enhanced ones in functional groups per frame or
shared by all frames, nuclear medicine and dose files in sequences and vectors of
their own. This module brings them all to one :class:`Frame`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .dicom_attributes import Attributes
from .dicom_series import frame_count
from .dicom_times import acquired, frame_times, is_cine


@dataclass(frozen=True)
class Plane:
    """Where a frame lies in the patient; vectors are (x, y, z) of LPS, lengths in mm.

    Parameters
    ----------
    position : ndarray
        Centre of the first pixel (ImagePositionPatient).
    along_row, along_column : ndarray
        Unit vectors in which the column index, and the row index, grow
        (ImageOrientationPatient, first and second half).
    """

    position: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Unit vector of the slice direction."""
        normal = np.cross(self.along_row, self.along_column)
        return np.asarray(normal / np.linalg.norm(normal))


@dataclass(frozen=True)
class Frame:
    """One frame of one file.

    Parameters
    ----------
    file : int
        Index of its file in the list that was read.
    number : int
        Index in its file.
    label : str
        How messages call it.
    shape : tuple of int
        Rows, columns.
    plane : Plane or None
        Where it lies, if the file says so.
    spacing : tuple of float or None
        Distance in mm between rows, and between columns.
    thickness : float or None
        Nominal distance between slices in mm.
    kind : tuple
        What tells images of one place apart other than time: image type, echo
        time, diffusion weighting.
    order : tuple
        Sorts images of one place.
    clocks : tuple of float or None
        Seconds from any origin, by each of the file's ways to say when: cardiac
        trigger, time of acquisition, place in a sequence of even steps.
    temporal : int or None
        Temporal position, where the file counts them.
    slope, intercept : float
        Stored value to real value.
    """

    file: int
    number: int
    label: str
    shape: tuple[int, int]
    plane: Plane | None
    spacing: tuple[float, float] | None
    thickness: float | None
    kind: tuple[Any, ...]
    order: tuple[Any, ...]
    clocks: tuple[float | None, ...]
    temporal: int | None
    slope: float
    intercept: float


def frames_of(header: Any, file: int, label: str) -> list[Frame]:
    """Describe every frame of a file.

    Parameters
    ----------
    header : pydicom Dataset
        Its dataset without pixels.
    file : int
        Its index among the files read together.
    label : str
        Its name for messages.
    """
    count = frame_count(header)
    frames = [
        _frame(Attributes(header, n), file, n, label if count == 1 else f"frame {n + 1}")
        for n in range(count)
    ]
    if count > 1 and "PerFrameFunctionalGroupsSequence" not in header:
        frames = _stepped(header, frames)
    return frames


def _frame(attributes: Attributes, file: int, number: int, label: str) -> Frame:
    get, first = attributes.get, attributes.number
    kind = (
        "\\".join(_texts(get("FrameType", "MRImageFrameTypeSequence") or get("ImageType"))),
        str(get("ComplexImageComponent", "MRImageFrameTypeSequence") or ""),
        _or(first("EffectiveEchoTime", "MREchoSequence"), first("EchoTime")),
        _or(first("DiffusionBValue", "MRDiffusionSequence")),
    )
    temporal = _or(
        first("TemporalPositionIndex", "FrameContentSequence"), first("TemporalPositionIdentifier")
    )
    trigger = _or(
        first("NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"),
        first("TriggerTime"),
    )
    moment, resolution = acquired(attributes), first("TemporalResolution")
    dimensions = attributes.numbers("DimensionIndexValues", "FrameContentSequence")
    order = (
        kind[:2],
        temporal,
        _or(first("FrameAcquisitionNumber", "FrameContentSequence"), first("AcquisitionNumber")),
        kind[2:],
        trigger,
        _or(moment),
        _or(first("InstanceNumber")),
        tuple(dimensions),
        number,
    )
    spacing = _spacing(attributes)
    shape = (int(attributes.header.Rows), int(attributes.header.Columns))
    thickness = first("SpacingBetweenSlices", "PixelMeasuresSequence") or first(
        "SliceThickness", "PixelMeasuresSequence"
    )
    slope = first("RescaleSlope", "PixelValueTransformationSequence")
    if slope is None:
        slope = first("DoseGridScaling")
    return Frame(
        file=file,
        number=number,
        label=label,
        shape=shape,
        plane=_plane(attributes),
        spacing=spacing,
        thickness=abs(thickness) if thickness else None,
        kind=kind,
        order=order,
        clocks=(
            trigger / 1000 if trigger >= 0 else None,
            temporal * resolution / 1000 if resolution and temporal >= 0 else None,
            moment,
        ),
        temporal=int(temporal) if temporal >= 0 else None,
        # A slope of zero would make every voxel the same: files with it mean "none".
        slope=slope or 1.0,
        intercept=first("RescaleIntercept", "PixelValueTransformationSequence") or 0.0,
    )


def _plane(attributes: Attributes) -> Plane | None:
    numbers = attributes.numbers
    position = numbers("ImagePositionPatient", "PlanePositionSequence")
    cosines = numbers("ImageOrientationPatient", "PlaneOrientationSequence")
    if not position and not cosines:
        position = numbers("ImagePositionVolume", "PlanePositionVolumeSequence")
        cosines = numbers("ImageOrientationVolume", "PlaneOrientationVolumeSequence")
    detectors = attributes.header.get("DetectorInformationSequence")
    if detectors and not (position and cosines):
        detector = Attributes(detectors[0], 0)
        position = position or detector.numbers("ImagePositionPatient")
        cosines = cosines or detector.numbers("ImageOrientationPatient")
    if len(position) != 3 or len(cosines) != 6:
        return None
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.5 or abs(row @ column) > 0.01 * lengths[0] * lengths[1]:
        return None
    return Plane(np.array(position), row / lengths[0], column / lengths[1])


def _spacing(attributes: Attributes) -> tuple[float, float] | None:
    """Distance between rows and columns in mm, from the best attribute there is."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        values = attributes.numbers(keyword, "PixelMeasuresSequence")
        if len(values) == 2 and min(values) > 0:
            return values[0], values[1]
    # Ultrasound calibrates regions of the picture; the largest one in cm (code 3) counts.
    best: tuple[float, tuple[float, float]] | None = None
    for region in attributes.header.get("SequenceOfUltrasoundRegions") or []:
        part = Attributes(region, 0)
        units = part.number("PhysicalUnitsXDirection"), part.number("PhysicalUnitsYDirection")
        deltas = part.number("PhysicalDeltaY"), part.number("PhysicalDeltaX")
        edges = [
            part.number(f"RegionLocation{edge}") or 0.0
            for edge in ("MinX0", "MaxX1", "MinY0", "MaxY1")
        ]
        area = (edges[1] - edges[0]) * (edges[3] - edges[2])
        if units == (3.0, 3.0) and deltas[0] and deltas[1] and (best is None or area > best[0]):
            best = area, (10 * abs(deltas[0]), 10 * abs(deltas[1]))
    return best[1] if best else None


def _stepped(header: Any, frames: list[Frame]) -> list[Frame]:
    """Place the frames of a file that gives one position and a step, and time them."""
    attributes, count = Attributes(header, 0), len(frames)
    steps: np.ndarray = np.zeros(count)
    offsets = attributes.numbers("GridFrameOffsetVector")
    slices = attributes.numbers("SliceVector")
    step = attributes.number("SpacingBetweenSlices") or attributes.number("SliceThickness") or 0.0
    if len(offsets) == count:
        steps = np.array(offsets) - offsets[0]
    elif len(slices) == count:
        steps = (np.array(slices) - 1) * step
    elif not is_cine(header):
        steps = np.arange(count) * step
    times = frame_times(attributes, count)
    placed = []
    for frame, offset, time in zip(frames, steps, times, strict=True):
        plane = frame.plane
        if plane is not None:
            plane = replace(plane, position=plane.position + offset * plane.normal)
        placed.append(replace(frame, plane=plane, clocks=(time, *frame.clocks)))
    return placed


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _or(*values: float | None) -> float:
    """Return the first value that is there, else -1, so that tuples can be compared."""
    return next((float(value) for value in values if value is not None), -1.0)
