"""What to read and where to write it, decided and checked before any work."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from ..errors import FileReadError, InputError, OutputExistsError
from ..files import DICOM_SUFFIXES, READABLE_SUFFIXES
from ..files.atomic import check_target
from ..files.dicom_series import find, is_dicom
from .outputs import VOLUME, Output


@dataclass(frozen=True)
class Job:
    """One image to work on.

    Parameters
    ----------
    source : Path
        A file or a DICOM folder.
    targets : mapping
        Kind of output -> the file, or DICOM folder, to write.
    series : str or None
        Which series of a DICOM folder.
    name : str
        For messages: the path inside the folder that is worked through.
    file : str
        For tables: the same with "/" on every system, and without remarks.
    """

    source: Path
    targets: Mapping[Output, Path] = field(default_factory=dict)
    series: str | None = None
    name: str = ""
    file: str = ""


@dataclass(frozen=True)
class _Found:
    """An image in a folder, and the path inside that its outputs are named after."""

    source: Path
    place: Path
    name: str
    file: str
    is_series: bool = False
    series: str | None = None


def is_folder_of_files(source: Path) -> bool:
    """Whether ``source`` is worked through file by file: it holds more than DICOM.

    Raises
    ------
    FileReadError
        It is not there, or a folder without any image.
    """
    if not source.exists():
        raise FileReadError(f"There is no file or folder {source}. Check the name and the folder.")
    if not source.is_dir():
        return False
    if any(_is_plain(path) for path, _ in _files(source)):
        return True
    if is_dicom(source):
        return False
    raise FileReadError(
        f"The folder {source} holds no image that can be read. Expected DICOM files, or files "
        f"named {', '.join(READABLE_SUFFIXES)}."
    )


def single_job(
    source: Path,
    outputs: Mapping[Output, str | None],
    series: str | None = None,
    *,
    overwrite: bool = False,
) -> Job:
    """Plan the work on one file or one DICOM folder.

    Parameters
    ----------
    source : Path
        What to read.
    outputs : mapping
        Kind of output -> a file name with a suffix, or an existing folder to put it
        into; for some kinds of DICOM also the name of a new folder. None: is not made.
    series : str, optional
        Which series of a DICOM folder.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    InputError, FileWriteError
        A name that cannot be written, or that would replace the input.
    """
    given = {kind: output for kind, output in outputs.items() if output is not None}
    targets = {kind: _place(output, source, kind) for kind, output in given.items()}
    for kind, path in targets.items():
        _check_suffix(path, source, kind)
        _check_apart(path, source)
        new = _is_new_folder(given[kind], kind)
        check_target(path.parent if new else path, overwrite)
    _check_different(targets, "names")
    name = source.resolve().name
    return Job(source, targets, series, name, name)


def folder_jobs(source: Path, outputs: Mapping[Output, str | None]) -> tuple[list[Job], int]:
    """Plan the work on a folder of files: the same tree again below each output folder.

    Each DICOM series becomes a folder, or a NIfTI file. Files of formats that can only
    be read become NIfTI (MINC) or another picture (JPEG), a.jpg beside a.png as
    a.jpg.png.

    Parameters
    ----------
    source : Path
        Searched to the bottom; hidden files and folders are left out.
    outputs : mapping
        Kind of output -> folder, made if its parent exists. None: is not made.

    Returns
    -------
    jobs : list of Job
        In order of their names.
    ignored : int
        Number of files that are no images.

    Raises
    ------
    InputError, FileWriteError
        An output folder that lies inside the input, or cannot be made; one folder
        for two kinds of output.
    """
    roots = {kind: Path(o).expanduser() for kind, o in outputs.items() if o is not None}
    for root in roots.values():
        _check_root(root, source)
    _check_different(roots, "folders")
    found, ignored = _search(source)
    paths = {kind: _paths(found, kind) for kind in roots}
    jobs = [
        Job(
            image.source,
            {kind: root / paths[kind][number] for kind, root in roots.items()},
            image.series,
            image.name,
            image.file,
        )
        for number, image in enumerate(found)
    ]
    return sorted(jobs, key=lambda job: job.name), ignored


def _search(source: Path) -> tuple[list[_Found], int]:
    """List the images below a folder, and count the files that are none."""
    plain: list[Path] = []
    folders: dict[Path, None] = {}
    ignored = 0
    for path, inside in _files(source):
        if _is_plain(path):
            plain.append(inside)
        elif is_dicom(path):
            folders.setdefault(inside.parent)
        else:
            ignored += 1
    # Folders that will hold other results too, so no DICOM series can be the folder itself.
    shared = {Path(), *(parent for inside in [*plain, *folders] for parent in inside.parents)}
    found = [_Found(source / path, path, str(path), path.as_posix()) for path in plain]
    for folder in folders:
        found += _series(source, folder, folder in shared)
    return found, ignored


def _series(source: Path, folder: Path, is_shared: bool) -> Iterator[_Found]:
    """Yield each DICOM series whose files lie in ``folder`` itself, a path in ``source``."""
    series = [info for info, _ in find(source / folder).series]
    here = [info for info in series if any(f.parent == source / folder for f in info.files)]
    alone = len(here) == 1 and not is_shared
    for info in here:
        single = len(info.files) == 1
        own = info.files[0].stem.replace(".", "_") if single else f"series-{info.number}"
        place = folder if alone else folder / own
        what = info.files[0] if single else source / folder
        file = (what.relative_to(source) if single else place).as_posix()
        number = None if single else str(info.number)
        yield _Found(what, place, f"{folder} ({info})", file, True, number)


def _paths(images: list[_Found], kind: Output) -> list[Path]:
    """Return where the output of each image goes, inside its root.

    Of two that would share a name, a.jpg gets a.jpg.png and the series a gets
    a.dicom.nii.gz.
    """
    wanted = []
    for image in images:
        name = image.place.name
        if not image.is_series:
            name = kind.name(image.source)
        elif not kind.series:
            name += VOLUME
        wanted.append(image.place.with_name(name))
    often = Counter(wanted)
    paths = []
    for image, path in zip(images, wanted, strict=True):
        if often[path] > 1 and path.name != image.source.name:
            stem = image.place.name if image.is_series else image.source.stem
            own = f"{stem}.dicom" if image.is_series else image.source.name
            path = path.with_name(own + path.name.removeprefix(stem))
        paths.append(path)
    return paths


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each file below a folder, and its path inside the folder."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(root, name)
                yield path, path.relative_to(folder)


def _is_plain(path: Path) -> bool:
    """Whether the name is that of an image file other than DICOM."""
    name = path.name.lower()
    return name.endswith(READABLE_SUFFIXES) and not name.endswith(DICOM_SUFFIXES)


def _place(output: str, source: Path, kind: Output) -> Path:
    """Return the path to write; an existing folder gets a file named like the input's."""
    path = Path(output).expanduser()
    is_folder = path.is_dir() or _is_new_folder(output, kind)
    if not (is_folder or output.endswith(("/", os.sep))):
        return path
    if kind.series and source.is_dir():
        return path
    if kind.series and is_dicom(source):
        # A folder of DICOM files, in which a dot would pass for an unknown format.
        return path / source.stem.replace(".", "_")
    return path / kind.name(source)


def _is_new_folder(output: str, kind: Output) -> bool:
    path = Path(output).expanduser()
    return kind.folder and not path.suffix and not path.exists()


def _check_suffix(target: Path, source: Path, kind: Output) -> None:
    if target.name.lower().endswith(kind.suffixes):
        return
    if kind.series and is_dicom(source) and (not target.suffix or target.is_dir()):
        return
    found = repr(target.suffix) if target.suffix else "a name without suffix"
    reason = kind.reason or f"{found} is not a format that can be written"
    series = " A DICOM series can also be written to a new folder, named without a suffix."
    raise InputError(
        f"Cannot write the {kind.noun} to {target}: {reason}. End its name in one of "
        f"{', '.join(kind.suffixes)}.{series if kind.series else ''}"
    )


def _check_apart(target: Path, source: Path) -> None:
    if target.resolve() == source.resolve():
        raise InputError(
            f"The output {target} is the input itself, which is never replaced. "
            "Choose another name or folder."
        )


def _check_different(targets: Mapping[Output, Path], what: str) -> None:
    for (one, place), (other, second) in combinations(targets.items(), 2):
        if place.resolve() == second.resolve():
            raise InputError(
                f"The {one.noun} and the {other.noun} would both be written to {place}. "
                f"Choose two {what}."
            )


def _check_root(root: Path, source: Path) -> None:
    place, origin = root.resolve(), source.resolve()
    if place == origin or origin in place.parents:
        raise InputError(
            f"The output folder {root} lies inside the input folder {source}. Choose one outside."
        )
    if root.exists() and not root.is_dir():
        raise OutputExistsError(
            f"{root} is a file, and the input is a folder of files. Name a folder for the output."
        )
    if not root.exists():
        check_target(root, overwrite=False)
