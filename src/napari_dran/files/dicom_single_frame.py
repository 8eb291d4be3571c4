"""The tags of one frame as a DICOM dataset of its own, of a single-frame class."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .dicom_elements import decimal, remove, set_plane
from .dicom_frames import Frame
from .dicom_series import frame_count

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
# Multi-frame classes and the class of one slice that holds the same kind of image.
_SINGLE_FRAME_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2.1": "1.2.840.10008.5.1.4.1.1.2",  # enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2": "1.2.840.10008.5.1.4.1.1.2",  # legacy converted CT
    "1.2.840.10008.5.1.4.1.1.4.1": "1.2.840.10008.5.1.4.1.1.4",  # enhanced MR
    "1.2.840.10008.5.1.4.1.1.4.3": "1.2.840.10008.5.1.4.1.1.4",  # enhanced MR colour
    "1.2.840.10008.5.1.4.1.1.4.4": "1.2.840.10008.5.1.4.1.1.4",  # legacy converted MR
    "1.2.840.10008.5.1.4.1.1.128.1": "1.2.840.10008.5.1.4.1.1.128",  # legacy converted PET
    "1.2.840.10008.5.1.4.1.1.130": "1.2.840.10008.5.1.4.1.1.128",  # enhanced PET
    "1.2.840.10008.5.1.4.1.1.3.1": "1.2.840.10008.5.1.4.1.1.6.1",  # ultrasound clip
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.6.1",  # ultrasound clip, retired
    "1.2.840.10008.5.1.4.1.1.12.1": "1.2.840.10008.5.1.4.1.1.12.1",  # X-ray angiography
    "1.2.840.10008.5.1.4.1.1.12.2": "1.2.840.10008.5.1.4.1.1.12.2",  # X-ray fluoroscopy
    "1.2.840.10008.5.1.4.1.1.481.2": "1.2.840.10008.5.1.4.1.1.481.2",  # dose
}
# True of the original's pixels or of its file, false of ours.
_STALE = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "IconImageSequence",
    "PixelDataProviderURL",
    "MACParametersSequence",
    "DigitalSignaturesSequence",
    "DataSetTrailingPadding",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
_MULTI_FRAME = (
    "NumberOfFrames",
    "FrameIncrementPointer",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "PreferredPlaybackSequencing",
    "StartTrim",
    "StopTrim",
    "RepresentativeFrameNumber",
    "FrameNumbersOfInterest",
    "GridFrameOffsetVector",
    "SliceVector",
    "NumberOfSlices",
    "DimensionOrganizationSequence",
    "DimensionOrganizationType",
    "DimensionIndexSequence",
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "ConcatenationFrameOffsetNumber",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


def single_frame(header: Any, frame: Frame) -> Any:
    """Copy a frame's tags into a dataset of its own.

    Parameters
    ----------
    header : pydicom Dataset
        Of the file the frame is from; not changed.
    frame : Frame
        The frame.

    Returns
    -------
    pydicom Dataset
        Of a single-frame class, without pixels and without what only the
        original's pixels made true. The attributes of functional groups stand at
        its top.
    """
    import pydicom

    shared = header.get("SharedFunctionalGroupsSequence") or []
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    groups = [*shared[:1], *per_frame[frame.number : frame.number + 1]]
    result = pydicom.Dataset()
    result.set_original_encoding(*header.original_encoding, header.original_character_set)
    little_endian = header.original_encoding[1]
    # Setting an attribute changes its element in place: each dataset needs elements of
    # its own, but may share what they hold. Turning bytes round reaches deeper.
    duplicate = copy.copy if little_endian else copy.deepcopy
    skipped = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"}
    for tag in header.keys():  # noqa: SIM118 (iterating a Dataset would parse every element)
        if tag.element == 0 or tag.group in (0x0002, 0x7FE0, 0xFFFA, 0xFFFC):
            continue
        if pydicom.datadict.keyword_for_tag(tag) not in skipped:
            result[tag] = duplicate(header.get_item(tag))
    if not little_endian:
        _make_little_endian(result)
    for group in groups:
        _lift(group, result)
    remove(result, *_STALE)
    multiple = frame_count(header) > 1 or bool(groups)
    if multiple:
        remove(result, *_MULTI_FRAME)
        _fill_from_groups(result, frame)
    old = str(header.get("SOPClassUID") or "")
    fallback = SECONDARY_CAPTURE if multiple or not old else old
    result.SOPClassUID = _SINGLE_FRAME_CLASSES.get(old, fallback)
    return result


def _make_little_endian(dataset: Any) -> None:
    """Turn the tags of a big-endian file round."""
    for element in dataset.iterall():  # which parses all of them
        # pydicom leaves the order of bytes in tables to us.
        if element.VR == "OW" and element.value:
            words = np.frombuffer(element.value, ">u2").astype("<u2")
            element.value = words.tobytes()
    dataset.set_original_encoding(False, True, dataset.original_character_set)


def _lift(group: Any, result: Any) -> None:
    """Bring the attributes of one functional group item to the top."""
    whole = ("ReferencedImageSequence", "RealWorldValueMappingSequence")
    for element in group:
        if element.tag.is_private or element.VR != "SQ" or not element.value:
            continue
        if element.keyword in whole:
            result[element.tag] = copy.copy(element)
        elif len(element.value) == 1 and element.keyword != "DerivationImageSequence":
            for inner in element.value[0]:
                if not inner.tag.is_private:
                    result[inner.tag] = copy.copy(inner)


def _fill_from_groups(result: Any, frame: Frame) -> None:
    """Say in classic attributes what functional groups say in newer ones."""
    if result.get("FrameType"):
        result.ImageType = list(result.FrameType)
    if result.get("EffectiveEchoTime") is not None and "EchoTime" not in result:
        result.EchoTime = decimal(float(result.EffectiveEchoTime))
    moment = str(result.get("FrameAcquisitionDateTime") or "")
    if len(moment) >= 14:
        result.AcquisitionDate, result.AcquisitionTime = moment[:8], moment[8:21]
    remove(
        result,
        "FrameType",
        "FrameAcquisitionDateTime",
        "FrameReferenceDateTime",
        "FrameAcquisitionNumber",
        "DimensionIndexValues",
        "TemporalPositionIndex",
        "StackID",
        "InStackPositionNumber",
    )
    if frame.plane is not None:
        set_plane(result, frame.plane.position, frame.plane.along_row, frame.plane.along_column)
    if frame.spacing is not None and "PixelSpacing" not in result:
        result.PixelSpacing = [decimal(value) for value in frame.spacing]
