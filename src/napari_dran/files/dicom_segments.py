"""What the segments of a DICOM segmentation are, and what they are called."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

OBJECT = "object"
"""What objects are called whose name is not told."""
MOST_SEGMENTS = 100
"""With more objects than this, all that have one name are one segment."""
ELSEWHERE = "Write .nii.gz or .nrrd instead, which keep the labels and their place."
_LONGEST_LABEL = 64
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Segment:
    """One segment: what it is called, and what it is."""

    label: str
    name: str


def name_labels(names: Sequence[str] | Mapping[int, str], numbers: Sequence[int]) -> dict[int, str]:
    """Name each label, or label 1 where there is none."""
    wanted = list(numbers) or [1]
    if isinstance(names, str):
        names = (names,)
    if not isinstance(names, Mapping):
        if len(names) == 1:
            return dict.fromkeys(wanted, names[0])
        names = dict(enumerate(names, start=1))
    if not numbers and names:
        return {1: next(iter(names.values()))}
    lacking = [number for number in wanted if number not in names]
    if lacking:
        raise InputError(
            f"There is no name for label {lacking[0]}: got names for {len(names)} labels, and "
            f"labels up to {wanted[-1]}. Give one name for all, or one for each label."
        )
    return {number: names[number] for number in wanted}


def segments_of(
    numbers: Sequence[int], names: Mapping[int, str]
) -> tuple[list[Segment], list[int]]:
    """Describe the segments, and give the number of the segment of each label."""
    kinds = list(dict.fromkeys(names.values()))
    if len(names) > MOST_SEGMENTS or not numbers:
        if len(kinds) > MOST_SEGMENTS:
            raise InputError(
                f"A DICOM segmentation of {len(kinds)} segments is more than other programs cope "
                f"with (at most {MOST_SEGMENTS}). {ELSEWHERE}"
            )
        segments = [Segment(_short(kind), kind) for kind in kinds]
        return segments, [kinds.index(names[number]) + 1 for number in numbers]
    alone = {kind for kind in kinds if list(names.values()).count(kind) == 1}
    segments = [
        Segment(_short(name) if name in alone else _short(name, f" {number}"), name)
        for number, name in names.items()
    ]
    return segments, list(range(1, len(segments) + 1))


def _short(name: str, end: str = "") -> str:
    """Bring a label to what the attribute holds; a backslash would divide it."""
    return name.replace("\\", " ")[: _LONGEST_LABEL - len(end)] + end


def descriptions(segments: Sequence[Segment], algorithm: str) -> list[Any]:
    """Return highdicom's descriptions of segments, made by an algorithm of some name."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes
    from skimage.color import rgb2lab

    from .. import __version__

    morbid = codes.SCT.MorphologicallyAbnormalStructure
    kinds = {
        "tumour": (morbid, codes.SCT.Neoplasm),
        "tumor": (morbid, codes.SCT.Neoplasm),
        "lesion": (morbid, codes.SCT.Lesion),
    }
    # What 3D Slicer calls a segment of which nothing is known.
    unknown = (codes.SCT.Tissue, codes.SCT.Tissue)
    made_by = AlgorithmIdentificationSequence(
        name=algorithm[:_LONGEST_LABEL],
        family=codes.cid7162.ArtificialIntelligence,
        version=__version__,
        source="napari-dran",
    )
    described = []
    for number, segment in enumerate(segments, start=1):
        category, kind = next(
            (pair for word, pair in kinds.items() if word in segment.name.lower()), unknown
        )
        # Steps of the golden section keep neighbouring hues apart.
        colour = rgb2lab(colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.75, 0.95))
        described.append(
            SegmentDescription(
                segment_number=number,
                segment_label=segment.label,
                segmented_property_category=category,
                segmented_property_type=kind,
                algorithm_type="AUTOMATIC",
                algorithm_identification=made_by,
                display_color=CIELabColor(*(float(value) for value in colour)),
            )
        )
    return described
