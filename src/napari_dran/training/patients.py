"""Telling patients apart, so that none is both trained and validated on."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from ..errors import InputError
from .manifest import MANIFEST, read_manifest
from .sources import Source

OWNERS = "patient", "group"
"""Columns of a manifest that say whose an image is; the first that is there counts."""

FEWEST_FOLDERS = 4
"""Folders, of which each may hold one patient's images: fewer are rather kinds of images."""

FEW = 4
"""A folder of fewer patients need not give one to validate on."""

SUBJECT = "sub-"
"""How BIDS begins the folder of a patient."""


def groups_of(
    sources: Sequence[Source],
    root: Path,
    split_by: str,
    notice: Callable[[str], object] = lambda sentence: None,
) -> dict[str, str]:
    """Say of each image whose it is.

    Parameters
    ----------
    sources : sequence of Source
        Images below ``root``.
    root : Path
        May hold ``manifest.csv``, with the columns ``file`` (a path in the folder, of
        an image or of a folder of them) and ``patient`` or ``group``.
    split_by : {"auto", "manifest", "folder", "file"}
        What tells patients apart. "auto" takes the manifest, then DICOM's PatientID;
        for what is left the folder, if there are as many of them as patients would
        have, else the file.
    notice : callable
        Gets a sentence if "auto" takes folders, or if a manifest leaves something open.

    Returns
    -------
    dict
        Name of the source -> group.

    Raises
    ------
    InputError
        A manifest is asked for and there is none, or it names none of the images.
    """
    groups: dict[str, str] = {}
    if split_by in ("auto", "manifest"):
        groups = _of_manifest(sources, root, split_by == "manifest", notice)
    open_ = [source for source in sources if source.name not in groups]
    if split_by != "folder":
        groups |= {source.name: source.patient for source in open_ if source.patient}
        open_ = [source for source in open_ if not source.patient]
    folders = Counter(_folder(source.name) for source in open_)
    by_folder = split_by == "folder"
    if split_by == "auto" and folders and _one_each(folders):
        by_folder = True
        notice(
            f"Each of the {len(folders)} folders counts as one patient. If that is wrong, choose "
            f"split_by 'file', or write {MANIFEST} with the columns 'file' and 'patient'."
        )
    for source in open_:
        folder = _folder(source.name) if by_folder else ""
        groups[source.name] = folder or source.patient or source.name
    return groups


def hold_out(groups: Iterable[tuple[str, str]], share: float) -> set[str]:
    """Choose the groups to validate on.

    Those with the smallest hash of their name, so a scan that is added hardly moves
    others to the other side. Folders of many groups each give their share, and all
    together at least ``share`` of all, at least one.

    Parameters
    ----------
    groups : iterable of (folder, group)
        Of every image.
    share : float
        In [0, 1).
    """
    folders: dict[str, dict[str, str]] = {}
    for folder, group in groups:
        digest = hashlib.sha256(group.encode()).hexdigest()
        folders.setdefault(folder, {})[group] = digest
    if share <= 0:
        return set()
    held: set[str] = set()
    for members in folders.values():
        count = max(int(share * len(members)), int(len(members) >= FEW))
        held.update(sorted(members, key=members.__getitem__)[:count])
    everyone = {group: digest for members in folders.values() for group, digest in members.items()}
    left = sorted(everyone.keys() - held, key=everyone.__getitem__)
    held.update(left[: max(0, math.ceil(share * len(everyone)) - len(held))])
    return held


def _of_manifest(
    sources: Sequence[Source], root: Path, needed: bool, notice: Callable[[str], object]
) -> dict[str, str]:
    """Find the images in the manifest: name -> group."""
    rows = read_manifest(root)
    owner = next((column for column in OWNERS if rows and column in rows[0]), None)
    if owner is None or "file" not in rows[0]:
        missing = (
            f"{root / MANIFEST} with the columns 'file' and '{OWNERS[0]}' or '{OWNERS[1]}', "
            "to tell patients apart"
        )
        if needed:
            raise InputError(f"Expected {missing}. Write one, or split by folder or file.")
        if rows:
            notice(f"{MANIFEST} is not used to tell patients apart: it lacks 'file' or 'patient'.")
        return {}
    listed = {_plain(row["file"]): f"group {row[owner]}" for row in rows if row[owner]}
    groups = {s.name: found for s in sources if (found := _nearest(s.name, listed))}
    if listed and not groups:
        raise InputError(
            f"{root / MANIFEST} names none of the images: it has {next(iter(listed))!r}, and "
            f"there is {sources[0].name!r}. Write paths from the manifest's own folder."
            if sources
            else f"{root / MANIFEST} names images, and there are none."
        )
    unlisted = [source.name for source in sources if source.name not in groups]
    if unlisted:
        notice(
            f"{len(unlisted)} of {len(sources)} images have no {owner} in {MANIFEST}, e.g. "
            f"{unlisted[0]}."
        )
    return groups


def _one_each(folders: Mapping[str, int]) -> bool:
    """Tell from the images in each folder whether it looks like one patient's."""
    if all(folder.startswith(SUBJECT) for folder in folders):
        return True
    many = len(folders) >= max(FEWEST_FOLDERS, median(folders.values()))
    return many and "" not in folders


def _plain(path: str) -> str:
    """Write a path as names of sources are written."""
    parts = [part for part in path.strip().replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts)


def _nearest(name: str, listed: Mapping[str, str]) -> str:
    """Look up an image, or else the nearest of the folders it lies in."""
    parts = name.split("/")
    paths = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((listed[path] for path in paths if path in listed), "")


def _folder(name: str) -> str:
    """Return the folder of one patient: that of the image, or in BIDS the subject's."""
    folders = name.split("/")[:-1]
    return next((part for part in folders if part.startswith(SUBJECT)), "/".join(folders))
