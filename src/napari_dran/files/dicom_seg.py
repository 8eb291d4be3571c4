"""Writing labels as a DICOM segmentation (SEG), which refers to the series they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DranError, FileWriteError, InputError, MissingPackageError
from ..volume import Source, Volume
from .atomic import writing
from .dicom import DicomHeader
from .dicom_frames import Plane
from .dicom_planes import Planes, planes_of
from .dicom_seg_source import lies_in_space, sources
from .dicom_segments import ELSEWHERE, OBJECT, Segment, descriptions, name_labels, segments_of
from .dicom_series import quiet
from .orientation import same_place, to_file_order, with_z

# Added to the number of the images' own series.
_SERIES_NUMBERS = 2000


def write_dicom_seg(
    labels: Volume,
    path: str | Path,
    *,
    names: Sequence[str] | Mapping[int, str] = (OBJECT,),
    algorithm: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write labels as a DICOM segmentation of the series that they were made from.

    Each label becomes a binary segment, numbered in the order of the labels; with more
    than a hundred labels, all of one name become one. The frames lie where the
    slices of the series do, in the series' own orientation, and refer to them; labels
    of a cropped or resampled image get their place from their affine. Labels without
    any object make one empty segment. Needs highdicom.

    Parameters
    ----------
    labels : Volume
        Integers from 0 (background) or bool, axes yx or zyx, of an image that was read
        from DICOM.
    path : str or Path
        The file; .seg.dcm is a usual end of its name.
    names : sequence of str or mapping
        What the objects are, e.g. "tumour": one name for all of them, or that of label
        1, of label 2 and so on, or label -> name.
    algorithm : str, optional
        What made the labels. By default the weights that their history names last.
    overwrite : bool
        As for :func:`~napari_dran.files.write_volume`, which says also what is returned.

    Raises
    ------
    MissingPackageError
        highdicom is not installed.
    InputError
        These are no labels, not of a DICOM series, or of several time points; or the
        series does not say where its slices lie.
    OutputExistsError, FileWriteError
        See :func:`~napari_dran.files.write_volume`.
    """
    path = Path(path).expanduser()
    _require_highdicom()
    source, header = _series(labels)
    values = _check(labels)
    numbers = np.unique(values[values > 0]).tolist()
    segments, table = segments_of(numbers, name_labels(names, numbers))
    history = labels.history[-1] if labels.history else {}
    algorithm = algorithm or str(history.get("weights") or "napari-dran")
    # A segment's number in place of each label; only labels that occur are looked up.
    stored = np.zeros(values.shape, np.uint8)
    if numbers:
        inside = values > 0
        stored[inside] = np.asarray(table, np.uint8)[np.searchsorted(numbers, values[inside])]
    with writing(path, overwrite, size=stored.nbytes) as temporary, quiet():
        try:
            dataset = _segmentation(labels, source, header, stored, segments, algorithm)
        except DranError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FileWriteError(
                f"Could not make a DICOM segmentation of this series: {error}. {ELSEWHERE}"
            ) from error
        dataset.save_as(temporary, enforce_file_format=True)
    return path


def _require_highdicom() -> None:
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            "Writing DICOM segmentations needs highdicom, which is not installed. Install it with: "
            "pip install 'napari-dran[dicom-seg]'"
        ) from error


def _series(labels: Volume) -> tuple[Source, DicomHeader]:
    source = labels.source
    if source is None or not isinstance(source.header, DicomHeader):
        found = "came from no file" if source is None else f"came from {source.format.upper()}"
        raise InputError(
            "A DICOM segmentation refers to the DICOM series it was made from, and the image of "
            f"these labels {found}. {ELSEWHERE}"
        )
    return source, source.header


def _check(labels: Volume) -> np.ndarray:
    """Return the labels as integers (slices, rows, columns) in the volume's own order."""
    if labels.dtype.kind == "f":
        raise InputError(
            f"Expected labels, whole numbers from 0, got {labels.dtype}. Write a probability or "
            "an image in another format, or convert it with .astype('int32')."
        )
    values, axes = with_z(labels)
    if "s" in axes or (axes != "zyx" and values.shape[0] > 1):
        raise InputError(
            f"A DICOM segmentation holds one volume of labels, these have {labels.axes!r} axes and "
            f"shape {labels.shape}. Write one time point at a time, or .nii.gz, which holds all."
        )
    values = values.reshape(values.shape[-3:])
    if values.dtype.kind == "i" and values.min() < 0:
        raise InputError(f"Expected labels from 0, the background, got {values.min()}. {ELSEWHERE}")
    return values.astype(np.uint8) if values.dtype == bool else values


def _segmentation(
    labels: Volume,
    source: Source,
    header: DicomHeader,
    stored: np.ndarray,
    segments: Sequence[Segment],
    algorithm: str,
) -> Any:
    from highdicom.seg import Segmentation
    from pydicom.uid import generate_uid

    from .. import __version__

    kept = same_place(labels, source, header.spatial_shape)
    if kept:
        stored = to_file_order(stored, 0, source.permutation, source.flips)
    images, further = sources(header)
    place = _place(labels, header, kept)
    first = images[0]
    description = str(first.get("SeriesDescription") or "").strip()
    return Segmentation(
        source_images=images,
        further_source_images=further or None,
        pixel_array=np.ascontiguousarray(stored),
        segmentation_type="BINARY",
        segment_descriptions=descriptions(segments, algorithm),
        series_instance_uid=generate_uid(),
        series_number=int(first.get("SeriesNumber") or 0) + _SERIES_NUMBERS,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="napari-dran developers",
        manufacturer_model_name="napari-dran",
        software_versions=__version__,
        device_serial_number="1",
        series_description=f"{description[:51]} segmentation".strip(),
        content_description=f"Segmented by {algorithm}"[:64],
        # highdicom would say so on the terminal, and go on.
        omit_empty_frames=bool(stored.any()),
        **place,
    )


def _place(labels: Volume, header: DicomHeader, kept: bool) -> dict[str, Any]:
    """Where the frames lie, as highdicom takes it; nothing for a picture without a place."""
    import highdicom

    if not lies_in_space(header):
        if kept and len(header.frames) == 1:
            return {}
        raise InputError(
            "A DICOM segmentation of several slices, or of a part of one, needs their places in "
            f"the patient, and the DICOM files do not give them. {ELSEWHERE}"
        )
    planes = _kept_planes(header) if kept else planes_of(labels)
    if planes is None:
        raise InputError(
            f"A DICOM segmentation needs lengths in mm, and these labels are in {labels.unit}. "
            f"Set the unit, or write .nii.gz or .nrrd instead."
        )
    first = planes.planes[0]
    system = highdicom.CoordinateSystemNames.PATIENT
    return {
        "plane_positions": [
            highdicom.PlanePositionSequence(system, image_position=plane.position.tolist())
            for plane in planes.planes
        ],
        "plane_orientation": highdicom.PlaneOrientationSequence(
            system, image_orientation=[*first.along_row.tolist(), *first.along_column.tolist()]
        ),
        "pixel_measures": highdicom.PixelMeasuresSequence(
            pixel_spacing=planes.spacing, slice_thickness=planes.thickness
        ),
    }


def _kept_planes(header: DicomHeader) -> Planes | None:
    frames = header.frames[: header.slices]
    planes: list[Plane] = [frame.plane for frame in frames if frame.plane is not None]
    spacing, thickness = frames[0].spacing, frames[0].thickness or 1.0
    return None if spacing is None else Planes(tuple(planes), spacing, thickness, thickness)
