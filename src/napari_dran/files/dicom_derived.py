"""Saying in the tags of a DICOM image that it is derived: from what, how and by what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .dicom_frames import Frame
from .dicom_series import frame_count
from .dicom_single_frame import SECONDARY_CAPTURE


def mark_derived(
    dataset: Any, entry: Mapping[str, Any] | None, original: Any, frame: Frame
) -> None:
    """Say that an image is derived, from what and how.

    Parameters
    ----------
    dataset : pydicom Dataset
        To change.
    entry : mapping or None
        What was done last, from ``Volume.history``.
    original : pydicom Dataset
        The file it was made from.
    frame : Frame
        The frame of that file.
    """
    from pydicom.sr.codedict import codes

    kinds = dataset.get("ImageType") or []
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    rest = [str(kind) for kind in kinds[2:]]
    while rest and rest[-1] in ("", "NONE"):
        rest.pop()
    dataset.ImageType = ["DERIVED", "SECONDARY", *rest]
    describe(dataset, entry)
    if original.get("SOPInstanceUID"):
        source = {
            "ReferencedSOPClassUID": original.get("SOPClassUID") or SECONDARY_CAPTURE,
            "ReferencedSOPInstanceUID": original.SOPInstanceUID,
            "PurposeOfReferenceCodeSequence": [
                _code(codes.DCM.SourceImageForImageProcessingOperation)
            ],
        }
        if frame_count(original) > 1:
            source["ReferencedFrameNumber"] = frame.number + 1
        dataset.SourceImageSequence = [_dataset(source)]
    description = str(dataset.get("SeriesDescription") or "").strip()
    word = "denoised" if entry else "derived"
    if not description.endswith(word):
        dataset.SeriesDescription = f"{description[: 63 - len(word)]} {word}".strip()
    number = dataset.get("SeriesNumber")
    dataset.SeriesNumber = (int(number) if number not in (None, "") else 0) + 1000


def describe(dataset: Any, entry: Mapping[str, Any] | None) -> None:
    """Write what was done into DerivationDescription, and by what into the equipment."""
    from pydicom.sr.codedict import codes

    from .. import __version__

    entry = entry or {}
    parts = [
        f"{key} {_text(value)}"
        for key, value in entry.items()
        if key not in ("software", "version") and value is not None
    ]
    version = entry.get("version", __version__)
    verb = "Denoised" if entry else "Written"
    text = f"{verb} by {entry.get('software', 'napari-dran')} {version}"
    text = "; ".join([text, *parts])
    earlier = str(dataset.get("DerivationDescription") or "").strip()
    if earlier and not earlier.startswith(text):
        text = f"{text}. Before that: {earlier}"
    # 1024 characters are what the attribute holds.
    dataset.DerivationDescription = text[:1024]
    now = datetime.now()
    dataset.InstanceCreationDate = now.strftime("%Y%m%d")
    dataset.InstanceCreationTime = now.strftime("%H%M%S")
    equipment = _dataset(
        {
            "Manufacturer": "napari-dran developers",
            "ManufacturerModelName": "napari-dran",
            "SoftwareVersions": str(version),
            "ContributionDateTime": now.strftime("%Y%m%d%H%M%S"),
            "PurposeOfReferenceCodeSequence": [_code(codes.DCM.ModifyingEquipment)],
        }
    )
    dataset.ContributingEquipmentSequence = [
        *(dataset.get("ContributingEquipmentSequence") or []),
        equipment,
    ]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(_text(part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _code(code: Any) -> Any:
    return _dataset(
        {
            "CodeValue": code.value,
            "CodingSchemeDesignator": code.scheme_designator,
            "CodeMeaning": code.meaning,
        }
    )


def _dataset(values: Mapping[str, Any]) -> Any:
    import pydicom

    dataset = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
