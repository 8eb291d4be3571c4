"""The images that a DICOM segmentation refers to, as highdicom wants to be shown them.

Highdicom reads place and size out of datasets that follow the standard to the letter.
Real ones do not; but the reader has brought them all to frames, so they are described
anew from these.
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .dicom import DicomHeader
from .dicom_elements import decimal, remove, set_plane
from .dicom_frames import Frame, Plane
from .dicom_grid import count_directions
from .dicom_series import frame_count
from .dicom_single_frame import SECONDARY_CAPTURE, single_frame

# Patient and study: attributes that may be empty, but must be there.
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_GROUPS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SEXES = ("M", "F", "O", "")
_PLACE = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
)


def lies_in_space(header: DicomHeader) -> bool:
    """Whether all frames of a series say where they lie, in planes side by side."""
    frames = header.frames
    known = all(frame.plane is not None and frame.spacing is not None for frame in frames)
    return known and count_directions(frames) == 1


def sources(header: DicomHeader) -> tuple[list[Any], list[Any]]:
    """Describe the files of a series: their UIDs, and where their frames lie.

    Parameters
    ----------
    header : DicomHeader
        The series.

    Returns
    -------
    sources : list of pydicom Dataset
        The single-frame files in the order of their frames, or one multi-frame file.
        The first has the attributes of patient and study.
    further : list of pydicom Dataset
        The other multi-frame files.

    Raises
    ------
    InputError
        The files have no SOPInstanceUID, so that nothing can refer to them.
    """
    from pydicom import Dataset
    from pydicom.uid import generate_uid

    files = list(dict.fromkeys(frame.file for frame in header.frames))
    originals = [header.datasets[file] for file in files]
    if not all(original.get("SOPInstanceUID") for original in originals):
        raise InputError(
            "The DICOM files have no SOPInstanceUID, so that no segmentation can refer to them. "
            "Write the labels as .nii.gz or .nrrd instead."
        )
    placed = lies_in_space(header)
    first = _first(header, originals[0])
    for keyword in _GROUPS if placed else _GROUPS[:2]:
        if not first.get(keyword):
            # Made of the image's own, so that all segmentations of a series share one.
            made = generate_uid(entropy_srcs=[keyword, str(originals[0].SOPInstanceUID)])
            setattr(first, keyword, made)
    described: list[Any] = []
    for file, original in zip(files, originals, strict=True):
        dataset = first if not described else Dataset()
        frames = sorted((f for f in header.frames if f.file == file), key=lambda f: f.number)
        for keyword in _GROUPS:
            if first.get(keyword):
                setattr(dataset, keyword, first.get(keyword))
        dataset.SOPInstanceUID = original.SOPInstanceUID
        dataset.SOPClassUID = original.get("SOPClassUID") or SECONDARY_CAPTURE
        dataset.Rows, dataset.Columns = header.frames[0].shape
        _place(dataset, frames, header.frames[0], placed)
        described.append(dataset)
    several = any(frame_count(o) > 1 or "PerFrameFunctionalGroupsSequence" in o for o in originals)
    return (described[:1], described[1:]) if several else (described, [])


def _first(header: DicomHeader, original: Any) -> Any:
    """Attributes of patient, study and series, with those that must not be missing."""
    from pydicom.valuerep import DA, TM

    dataset = single_frame(original, header.frames[0])
    for keyword in _MAY_BE_EMPTY:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(dataset.get(keyword))
        except ValueError:
            setattr(dataset, keyword, "")
    if dataset.PatientSex not in _SEXES:
        dataset.PatientSex = ""
    dataset.Modality = dataset.get("Modality") or "OT"
    return dataset


def _place(dataset: Any, frames: list[Frame], first: Frame, placed: bool) -> None:
    """Say where the frames of a file lie, as single-frame and as multi-frame files do."""
    from pydicom import Dataset

    thickness = float(dataset.get("SliceThickness") or first.thickness or 1.0)
    remove(dataset, *_PLACE)
    shared = Dataset()
    if first.spacing is not None:
        measures = Dataset()
        for one in (dataset, measures):
            one.PixelSpacing = [decimal(value) for value in first.spacing]
            one.SliceThickness = decimal(thickness)
        shared.PixelMeasuresSequence = [measures]
    groups = []
    for frame in frames:
        group, plane = Dataset(), Dataset()
        if placed and frame.plane is not None and first.plane is not None:
            # One direction for all: what they differ by is rounding.
            _set_plane(plane, frame.plane, first.plane)
            orientation = Dataset()
            orientation.ImageOrientationPatient = plane.ImageOrientationPatient
            shared.PlaneOrientationSequence = [orientation]
            group.PlanePositionSequence = [plane]
        groups.append(group)
    if placed and frames[0].plane is not None and first.plane is not None:
        _set_plane(dataset, frames[0].plane, first.plane)
    dataset.NumberOfFrames = len(frames)
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = groups


def _set_plane(dataset: Any, plane: Plane, first: Plane) -> None:
    set_plane(dataset, plane.position, first.along_row, first.along_column)
