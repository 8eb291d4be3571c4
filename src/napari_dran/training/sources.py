"""Finding the images below a folder: files of any format, and DICOM series."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import DICOM_SUFFIXES, READABLE_SUFFIXES
from ..files.dicom_series import find, is_dicom_file

DICOM_GROUPS = "patient ", "study "
"""How groups begin that a header tells: they are the same wherever the files lie."""


@dataclass(frozen=True)
class Source:
    """A file, or one DICOM series, that holds an image."""

    path: Path
    name: str
    patient: str = ""
    series: str | None = None


def find_sources(
    folder: str | Path, reading: Callable[[str], object] = lambda name: None
) -> list[Source]:
    """List the files and DICOM series below a folder, by name.

    Parameters
    ----------
    folder : str or Path
        Searched to the bottom; hidden files and folders are left out.
    reading : callable
        Gets the name of each folder before its files are looked at: its path inside,
        ending in "/"; the folder itself is "./". What it raises ends the search.

    Raises
    ------
    InputError
        There is no such folder, or no image in it.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"There is no folder {root}. Name the folder that holds the images.")
    sources = list(_sources(root, reading))
    if not sources:
        raise InputError(
            f"Found no images in {root}. Expected files named {', '.join(READABLE_SUFFIXES)}, "
            "or DICOM files, also in folders of any depth."
        )
    return sources


def _sources(root: Path, reading: Callable[[str], object]) -> Iterator[Source]:
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(place)
        reading(f"{here.relative_to(root).as_posix()}/")
        paths = [here / name for name in sorted(names) if not name.startswith(".")]
        dicom = False
        for path in paths:
            name = path.name.lower()
            if name.endswith(READABLE_SUFFIXES) and not name.endswith(DICOM_SUFFIXES):
                yield Source(path, path.relative_to(root).as_posix())
            elif name != "dicomdir" and (name.endswith(DICOM_SUFFIXES) or is_dicom_file(path)):
                dicom = True
        if dicom:
            yield from _series(here, root)


def _series(folder: Path, root: Path) -> Iterator[Source]:
    """List the DICOM series whose files lie in ``folder`` itself."""
    inside = folder.relative_to(root).as_posix()
    place = "" if inside == "." else f"{inside}/"
    found = find(folder)
    for info, headers in found.series:
        if any(file.parent == folder for file in info.files):
            patient = str(headers[0].get("PatientID") or "")
            study = str(headers[0].get("StudyInstanceUID") or "")
            group = f"patient {patient}" if patient else f"study {study}" if study else ""
            yield Source(folder, f"{place}series-{info.number}", group, str(info.number))
    for path in found.unreadable:
        if path.parent == folder:
            # Reading it again gives the sentence to report.
            yield Source(path, path.relative_to(root).as_posix())
