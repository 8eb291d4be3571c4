"""Writing and dropping elements of a DICOM dataset."""

from __future__ import annotations

from typing import Any

_TABLES = (
    "PaletteColorLookupTableUID",
    *(
        f"{segmented}{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
    ),
)


def set_plane(dataset: Any, position: Any, along_row: Any, along_column: Any) -> None:
    """Write where a slice lies: vectors (x, y, z) of LPS, position in mm."""
    dataset.ImagePositionPatient = [decimal(value) for value in position]
    dataset.ImageOrientationPatient = [decimal(value) for value in (*along_row, *along_column)]


def decimal(value: float) -> Any:
    """Return a number as a DICOM decimal string of at most 16 characters."""
    from pydicom.valuerep import DSfloat

    # Without this, -0.0 would be written as "-0.0".
    return DSfloat(float(value) + 0.0, auto_format=True)


def remove(dataset: Any, *keywords: str) -> None:
    """Drop attributes, where there are any."""
    for keyword in keywords:
        if keyword in dataset:
            del dataset[keyword]


def remove_tables(dataset: Any) -> None:
    """Drop the colour tables of an image that is written in true colour."""
    remove(dataset, *_TABLES)
