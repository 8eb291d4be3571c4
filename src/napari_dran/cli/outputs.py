"""The files that commands make of an image: in which formats, and under which name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..files import DICOM_SUFFIXES, READABLE_SUFFIXES, WRITABLE_SUFFIXES

VOLUME = ".nii.gz"
"""Format for scans whose own cannot hold the output."""


@dataclass(frozen=True)
class Output:
    """One kind of output.

    Parameters
    ----------
    noun : str
        What it is, for messages.
    suffixes : tuple of str
        Of the formats that can hold it.
    picture : str
        Suffix for pictures whose own format cannot.
    series : bool
        Whether it can be a DICOM series if the image is one.
    folder : bool
        Whether a name without a suffix is that of a folder to put it into.
    reason : str
        Why other formats cannot hold it.
    """

    noun: str
    suffixes: tuple[str, ...]
    picture: str
    series: bool = False
    folder: bool = False
    reason: str = ""

    def name(self, source: Path) -> str:
        """Name the output for a file or a DICOM folder: its own name, if that format will do."""
        if source.is_dir():
            return source.resolve().name + VOLUME
        name = source.name.lower()
        if name.endswith(self.suffixes) and not name.endswith(DICOM_SUFFIXES):
            return source.name
        # A DICOM file may have any name.
        scan = name.endswith((".mnc", *DICOM_SUFFIXES)) or not name.endswith(READABLE_SUFFIXES)
        return source.stem + (VOLUME if scan else self.picture)


IMAGE = Output("result", WRITABLE_SUFFIXES, ".png", series=True)

RESIDUAL = Output(
    "residual",
    tuple(suffix for suffix in WRITABLE_SUFFIXES if suffix != ".png"),
    ".tif",
    reason="it has negative fractions",
)

LABELS = Output("label image", (*WRITABLE_SUFFIXES, ".dcm"), ".png", folder=True)
"""A DICOM file is a segmentation object."""
