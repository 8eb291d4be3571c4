"""When the frames of a DICOM file were taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from .dicom_attributes import Attributes

CINE_MODALITIES = ("US", "XA", "RF", "IVUS", "ES", "XC", "GM", "CF")


def is_cine(header: Any) -> bool:
    """Whether the frames of a file without positions per frame follow one another in time."""
    if any(k in header for k in ("FrameTime", "FrameTimeVector", "CineRate", "TimeSlotVector")):
        return True
    return str(header.get("Modality")) in CINE_MODALITIES


def frame_times(attributes: Attributes, count: int) -> list[float | None]:
    """When each frame of a cine was taken, in seconds from the first one, if the file says so."""
    gaps = attributes.numbers("FrameTimeVector")
    if len(gaps) == count:
        return [float(t) / 1000 for t in np.cumsum(gaps)]
    step = attributes.number("FrameTime")
    rate = attributes.number("CineRate") or attributes.number("RecommendedDisplayFrameRate")
    seconds = step / 1000 if step else 1 / rate if rate else None
    return [None if seconds is None else n * seconds for n in range(count)]


def acquired(attributes: Attributes) -> float | None:
    """When a frame was acquired, in seconds since year 1."""
    for keyword in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        moment = _seconds(str(attributes.get(keyword, "FrameContentSequence") or ""))
        if moment is not None:
            return moment
    header = attributes.header
    clock = str(header.get("AcquisitionTime") or "")
    date = str(header.get("AcquisitionDate") or header.get("SeriesDate") or "00010101")
    return (
        _seconds(date + clock) if clock else _seconds(str(header.get("AcquisitionDateTime") or ""))
    )


def _seconds(text: str) -> float | None:
    whole, _, fraction = text.replace(":", "").partition(".")
    digits = whole[:14]
    if len(digits) < 14 or not digits.isdecimal():
        return None
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    part = fraction[:6]
    seconds = (moment - datetime.min).total_seconds()
    return seconds + (float(f"0.{part}") if part.isdecimal() else 0.0)
