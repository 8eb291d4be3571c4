"""Finding the DICOM images of a folder and telling its series apart."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileReadError

SHORTEST_ENDING = 4
"""Digits that choose a series by the end of its UID; fewer are a number of the list."""

SUFFIXES = (".dcm", ".dicom", ".ima", ".dic")


@dataclass(frozen=True)
class SeriesInfo:
    """One series of a folder.

    Parameters
    ----------
    number : int
        Its place in the folder's list, from 1: what ``series=`` accepts.
    uid : str
        SeriesInstanceUID, "" if the files have none.
    description : str
        SeriesDescription, or "no description".
    modality : str
        "MR", "CT", ...
    images : int
        Frames in all of its files.
    files : tuple of Path
        Its files, by name.
    """

    number: int
    uid: str
    description: str
    modality: str
    images: int
    files: tuple[Path, ...]

    def __str__(self) -> str:
        images = "1 image" if self.images == 1 else f"{self.images} images"
        uid = f"UID ...{self.uid[-12:]}" if self.uid else "no UID"
        return f"{self.number}: {self.description} ({self.modality}, {images}, {uid})"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what pydicom says about values that break the standard's letter.

    Real files are full of them, and nobody who opens one can do anything about it;
    what matters for the image is checked by us.
    """
    from pydicom import config

    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=UserWarning, module=r"(pydicom|pylibjpeg|highdicom)\b"
        )
        yield


def is_dicom(path: str | Path) -> bool:
    """Say whether a file is DICOM, or whether a folder holds a DICOM file.

    Parameters
    ----------
    path : str or Path
        A file or a folder; folders are searched to the bottom, up to the first hit.
    """
    path = Path(path)
    if path.is_dir():
        return any(is_dicom_file(file) for file in _walk(path))
    return path.is_file() and is_dicom_file(path)


def is_dicom_file(path: Path) -> bool:
    """Say whether a file begins like DICOM."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    if start[128:] == b"DICM":
        return True
    # Some old files lack the preamble and begin with an element of group 2 or 8.
    return (
        len(start) > 12
        and start[:2] in (b"\x02\x00", b"\x08\x00")
        and start[2:4] in (b"\x00\x00", b"\x01\x00", b"\x05\x00", b"\x08\x00", b"\x16\x00")
        and (start[4:6].isalpha() or start[6:8] == b"\x00\x00")
        and (path.suffix.lower() in SUFFIXES or path.suffix[1:].isdigit() or not path.suffix)
    )


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield Path(root, name)


def read_header(path: Path) -> Any:
    """Read the dataset of a file up to the pixels.

    Raises
    ------
    FileReadError
        The file is damaged or not DICOM.
    """
    import pydicom

    try:
        with quiet():
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except PermissionError as error:
        raise FileReadError(f"Could not read {path}: no permission to open it.") from error
    except Exception as error:
        raise damaged(path, error) from error
    if len(header) == 0:
        raise damaged(path, None)
    return header


def damaged(path: Path, error: Exception | None) -> FileReadError:
    """Return the error for a DICOM file that cannot be parsed."""
    lines = str(error).strip().splitlines() if error else []
    reason = f" ({' '.join(line.strip() for line in lines[:2]).rstrip('.')[:250]})" if lines else ""
    return FileReadError(
        f"Could not read {path} as DICOM: it is damaged or cut short{reason}. "
        "Copy or export it again."
    )


def is_image(header: Any) -> bool:
    """Whether a dataset describes pixels: a report or a contour set does not."""
    return all(keyword in header for keyword in ("Rows", "Columns", "BitsAllocated"))


def frame_count(header: Any) -> int:
    """Return the number of frames in a file."""
    try:
        return max(1, int(header.get("NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return 1


@dataclass(frozen=True)
class Found:
    """The images below a folder: the headers of each series, and what was left out."""

    series: list[tuple[SeriesInfo, list[Any]]]
    unreadable: list[Path]
    others: list[str]


def find(folder: Path) -> Found:
    """Read the headers of all DICOM files below a folder, grouped into series.

    Parameters
    ----------
    folder : Path
        Searched to the bottom. A DICOMDIR, hidden files, files that are not DICOM
        and DICOM files without an image are skipped.
    """
    groups: dict[str, list[tuple[Path, Any]]] = {}
    seen: set[str] = set()
    unreadable, others = [], []
    for path in _walk(folder):
        if not is_dicom_file(path):
            continue
        try:
            header = read_header(path)
        except FileReadError:
            unreadable.append(path)
            continue
        if not is_image(header):
            others.append(kind_of(header))
            continue
        instance = str(header.get("SOPInstanceUID") or path)
        # A copy of a file ("IM3 (1).dcm") would pass for a second time point.
        if instance not in seen:
            seen.add(instance)
            groups.setdefault(str(header.get("SeriesInstanceUID") or ""), []).append((path, header))
    ordered = sorted(groups.items(), key=lambda item: (_series_number(item[1][0][1]), item[0]))
    series = []
    for number, (uid, members) in enumerate(ordered, 1):
        first = members[0][1]
        info = SeriesInfo(
            number=number,
            uid=uid,
            description=str(first.get("SeriesDescription") or "").strip() or "no description",
            modality=str(first.get("Modality") or "unknown modality"),
            images=sum(frame_count(header) for _, header in members),
            files=tuple(path for path, _ in members),
        )
        series.append((info, [header for _, header in members]))
    return Found(series, unreadable, others)


def list_series(folder: str | Path) -> list[SeriesInfo]:
    """List the image series below a folder, by series number.

    Parameters
    ----------
    folder : str or Path
        A folder with DICOM files, searched to the bottom.

    Raises
    ------
    FileReadError
        There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileReadError(f"There is no folder {folder}. Check the path.")
    with quiet():
        return [info for info, _ in find(folder).series]


def choose(folder: Path, found: Found, wanted: str | None) -> tuple[SeriesInfo, list[Any]]:
    """Pick one series of a folder.

    Parameters
    ----------
    folder : Path
        For messages.
    found : Found
        What :func:`find` saw there.
    wanted : str or None
        SeriesInstanceUID, the end of one, or a number of the list; needed only
        where there are several series.

    Raises
    ------
    FileReadError
        There is no image, several series and no choice, or no such series.
    """
    series = found.series
    if not series:
        raise FileReadError(_nothing(folder, found))
    listing = "\n".join(f"  {info}" for info, _ in series)
    how = "by its number here or the end of its UID (series=..., --series ...)"
    if wanted is None:
        if len(series) == 1:
            return series[0]
        raise FileReadError(
            f"The folder {folder} holds {len(series)} image series. Choose one, {how}:\n{listing}"
        )
    wanted = str(wanted).strip()
    matches = [entry for entry in series if entry[0].uid == wanted]
    if not matches and wanted.isdecimal() and 1 <= int(wanted) <= len(series):
        matches = [series[int(wanted) - 1]]
    ending = wanted.lstrip(".")
    if not matches and len(ending) >= SHORTEST_ENDING:
        matches = [entry for entry in series if entry[0].uid.endswith(ending)]
    if len(matches) == 1:
        return matches[0]
    problem = "No series" if not matches else "More than one series"
    raise FileReadError(
        f"{problem} of the folder {folder} matches {wanted!r}. Choose one, {how}:\n{listing}"
    )


def kind_of(header: Any) -> str:
    """Name what a dataset without an image is."""
    name = str(getattr(header.get("SOPClassUID"), "name", "") or header.get("Modality") or "data")
    return f"{name} without pixels" if name.endswith("Image Storage") else name


def _nothing(folder: Path, found: Found) -> str:
    message = f"The folder {folder} holds no DICOM image."
    if found.others:
        kinds = ", ".join(sorted(set(found.others)))
        message += f" Its {len(found.others)} DICOM files hold other things: {kinds}."
    if found.unreadable:
        message += f" {len(found.unreadable)} files are damaged, e.g. {found.unreadable[0].name}."
    return message + " Choose the folder that holds the images."


def _series_number(header: Any) -> int:
    try:
        return int(header.get("SeriesNumber") or 0)
    except (TypeError, ValueError):
        return 0
