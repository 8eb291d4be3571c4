"""Writing a volume as a DICOM series of single-frame files."""

from __future__ import annotations

import copy
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..volume import Volume
from .atomic import writing
from .dicom import DicomHeader
from .dicom_derived import describe, mark_derived
from .dicom_elements import decimal, remove, set_plane
from .dicom_pixels import Scale
from .dicom_planes import planes_of
from .dicom_series import quiet
from .dicom_single_frame import SECONDARY_CAPTURE, single_frame
from .dicom_slices import Slice, as_16_bit, as_rgb, save
from .orientation import same_place, to_file_order, with_z


def write_dicom_series(volume: Volume, folder: str | Path, overwrite: bool = False) -> Path:
    r"""Write a volume as a new DICOM series, one file a slice.

    A volume that was read from DICOM keeps the patient, study and geometry tags of
    each of its slices, in the file's own orientation and stored values: the rescale
    is undone, values are rounded and kept inside BitsStored. The images are marked
    as derived (``DERIVED\SECONDARY``, what was done, from which images), with new
    series and instance UIDs; study and frame of reference stay. Enhanced and other
    multi-frame files become single-frame ones.

    Any other volume, and one whose geometry was changed since it was read, gets its
    geometry from its affine. Integers that fit 16 bits are stored as they are.
    Others are scaled to 16 bits with RescaleSlope = (max - min) / 65535, so that no
    value is off by more than half of that, a 131,070th of the range. Without a DICOM
    source the class is Secondary Capture and the patient is anonymous.

    Parameters
    ----------
    volume : Volume
        Any but one with channels (c). An alpha sample is left out.
    folder : str or Path
        Made anew, with files IM0001.dcm and on; its parent must exist.
    overwrite : bool
        Replace the folder if it holds nothing but one DICOM series.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputExistsError
        The folder holds something and ``overwrite`` was not asked for.
    FileWriteError
        It cannot be written.
    InputError
        DICOM has no place for such a volume: channels, colours of 32 bits, slices
        that are no rectangles.

    Warns
    -----
    UserWarning
        The volume holds values that are not numbers: DICOM cannot store them.
    """
    folder = Path(folder)
    if "c" in volume.axes:
        raise InputError(
            f"A DICOM series cannot hold channels, and this volume has {volume.axes!r} axes. "
            "Write one channel at a time, or write NIfTI or TIFF."
        )
    with writing(folder, overwrite, size=volume.data.nbytes) as temporary, quiet():
        slices = _slices(volume)
        _identify(slices, volume)
        temporary.mkdir(exist_ok=True)
        digits = max(4, len(str(len(slices))))
        for number, one in enumerate(slices, 1):
            save(one, temporary / f"IM{number:0{digits}d}.dcm")
    return folder


def _slices(volume: Volume) -> list[Slice]:
    data, axes = with_z(volume)
    if "t" not in axes:
        data = data[np.newaxis]
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        count = int(data.size - np.isfinite(data).sum())
        warnings.warn(
            f"{count} values are not finite numbers, which DICOM cannot store: infinite ones "
            "become the nearest value there is, the others the padding value or zero.",
            stacklevel=4,
        )
    source = volume.source
    header = source.header if source is not None else None
    if source is None or not isinstance(header, DicomHeader):
        return _new_slices(volume, data, _blank(volume))
    kept = same_place(volume, source, header.spatial_shape) and data.shape[0] == header.times
    if not kept:
        return _new_slices(volume, data, _template(volume, header))
    data = to_file_order(data, 1, source.permutation, source.flips)
    pictures = data.reshape(-1, *data.shape[2:])
    slices = []
    for frame, values in zip(header.frames, pictures, strict=True):
        original = header.datasets[frame.file]
        dataset = single_frame(original, frame)
        mark_derived(dataset, _last(volume), original, frame)
        slices.append(Slice(dataset, values, Scale(frame.slope, frame.intercept)))
    if len(header.datasets) < len(header.frames):
        _number(slices, volume, header.times, header.slices)
    if volume.rgb:
        return as_rgb(slices)
    if header.scales is None or header.axes.endswith("s"):
        return as_16_bit(slices, data)
    return slices


def _last(volume: Volume) -> Any:
    return volume.history[-1] if volume.history else None


def _new_slices(volume: Volume, data: np.ndarray, template: Any) -> list[Slice]:
    """Slices with the geometry of the volume's affine, z by z, in the tags of one dataset."""
    times, count = data.shape[:2]
    planes = planes_of(volume)
    slices = []
    for index, values in enumerate(data.reshape(-1, *data.shape[2:])):
        dataset = copy.deepcopy(template)
        if planes is not None:
            plane = planes.planes[index % count]
            set_plane(dataset, plane.position, plane.along_row, plane.along_column)
            dataset.PixelSpacing = [decimal(value) for value in planes.spacing]
            dataset.SliceThickness = decimal(planes.thickness)
            dataset.SpacingBetweenSlices = decimal(planes.step)
        slices.append(Slice(dataset, values, Scale()))
    _number(slices, volume, times, count)
    return as_rgb(slices) if volume.rgb else as_16_bit(slices, data)


def _number(slices: list[Slice], volume: Volume, times: int, count: int) -> None:
    """Set the numbers of slices, and of time points where there are several."""
    for index, one in enumerate(slices):
        one.dataset.InstanceNumber = index + 1
        if times > 1:
            one.dataset.TemporalPositionIdentifier = index // count + 1
            one.dataset.NumberOfTemporalPositions = times
            if volume.time_step:
                one.dataset.TemporalResolution = decimal(1000 * volume.time_step)


def _template(volume: Volume, header: DicomHeader) -> Any:
    """Tags for slices at other places than the original ones."""
    frame = header.frames[0]
    original = header.datasets[frame.file]
    dataset = single_frame(original, frame)
    mark_derived(dataset, _last(volume), original, frame)
    remove(
        dataset,
        *("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "PixelSpacing"),
        *("SliceThickness", "SpacingBetweenSlices", "TemporalPositionIdentifier", "TriggerTime"),
        *("NumberOfTemporalPositions", "TemporalResolution", "SourceImageSequence"),
    )
    return dataset


def _blank(volume: Volume) -> Any:
    """Tags for a volume that never was DICOM: an unnamed patient, a study of its own."""
    import pydicom
    from pydicom.uid import generate_uid

    now = datetime.now()
    dataset = pydicom.Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SECONDARY_CAPTURE
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.PatientName = dataset.PatientID = "Anonymous"
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyInstanceUID, dataset.StudyID, dataset.AccessionNumber = generate_uid(), "", ""
    dataset.ReferringPhysicianName = dataset.Laterality = ""
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = now.strftime("%Y%m%d")
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = now.strftime("%H%M%S")
    dataset.SeriesNumber = 1
    name = volume.name.replace("\\", " ")
    dataset.SeriesDescription = (f"{name[:55]} denoised" if volume.history else name[:64]).strip()
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = ""
    describe(dataset, _last(volume))
    return dataset


def _identify(slices: list[Slice], volume: Volume) -> None:
    """Give the new series its UIDs."""
    from pydicom.uid import generate_uid

    series, study, reference = generate_uid(), generate_uid(), generate_uid()
    numbers = [one.dataset.get("InstanceNumber") for one in slices]
    renumber = None in numbers or len(set(numbers)) < len(numbers)
    for index, one in enumerate(slices, 1):
        dataset = one.dataset
        dataset.SOPInstanceUID, dataset.SeriesInstanceUID = generate_uid(), series
        if not dataset.get("StudyInstanceUID"):
            dataset.StudyInstanceUID = study
        if dataset.get("ImagePositionPatient") and not dataset.get("FrameOfReferenceUID"):
            dataset.FrameOfReferenceUID = reference
            dataset.PositionReferenceIndicator = ""
        if renumber:
            dataset.InstanceNumber = index
