"""What to read and where to write it, decided and checked before any work."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileReadError, InputError, OutputExistsError
from ..files import DICOM_SUFFIXES, READABLE_SUFFIXES, WRITABLE_SUFFIXES
from ..files.atomic import check_target
from ..files.dicom_series import find, is_dicom

RESIDUAL_SUFFIXES = tuple(suffix for suffix in WRITABLE_SUFFIXES if suffix != ".png")
"""Formats that hold negative fractions."""


@dataclass(frozen=True)
class Job:
    """One image to denoise.

    Parameters
    ----------
    source : Path
        A file or a DICOM folder.
    target : Path
        The file, or DICOM folder, to write.
    residual : Path or None
        The file for what was taken away.
    series : str or None
        Which series of a DICOM folder.
    name : str
        For messages: the path inside the folder that is worked through.
    """

    source: Path
    target: Path
    residual: Path | None = None
    series: str | None = None
    name: str = ""


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
    output: str,
    residual: str | None = None,
    series: str | None = None,
    *,
    overwrite: bool = False,
) -> Job:
    """Plan the work on one file or one DICOM folder.

    Parameters
    ----------
    source : Path
        What to read.
    output : str
        A file name with a suffix; for DICOM also the name of a folder. A file
        as input can be written into an existing folder, under its own name.
    residual : str, optional
        The same for the residual, which cannot be DICOM or PNG.
    series : str, optional
        Which series of a DICOM folder.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    InputError, FileWriteError
        A name that cannot be written, or that would replace the input.
    """
    target = _place(output, source)
    extra = None
    if residual is not None:
        extra = _place(residual, source, residual_name(source))
        _check_residual(extra)
    _check_suffix(target, source)
    for path in (target, extra):
        if path is not None:
            _check_apart(path, source)
            check_target(path, overwrite)
    if target == extra:
        raise InputError(
            f"Result and residual would both be written to {target}. Choose two names."
        )
    return Job(source, target, extra, series, source.resolve().name)


def folder_jobs(
    source: Path, output: str, residual: str | None = None, *, overwrite: bool = False
) -> tuple[list[Job], int]:
    """Plan the work on a folder of files: the same tree again below ``output``.

    Each DICOM series becomes a folder. Files of formats that can only be read
    become NIfTI (MINC) or PNG (other pictures), a.jpg beside a.png as a.jpg.png.

    Parameters
    ----------
    source : Path
        Searched to the bottom; hidden files and folders are left out.
    output, residual : str
        Folders, made if their parent exists.
    overwrite : bool
        Whether files there may be replaced; otherwise each is an error of its own.

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
        for results and residuals.
    """
    root, extra_root = Path(output).expanduser(), None
    _check_root(root, source)
    if residual:
        extra_root = Path(residual).expanduser()
        _check_root(extra_root, source)
        if extra_root.resolve() == root.resolve():
            raise InputError(
                f"Results and residuals would both be written to {root}. Choose two folders."
            )
    plain: dict[Path, Path] = {}
    ignored = 0
    dicom_folders: dict[Path, None] = {}
    for path, inside in _files(source):
        if _is_plain(path):
            plain[path] = inside
        elif is_dicom(path):
            dicom_folders.setdefault(path.parent)
        else:
            ignored += 1
    names, extra_names = _unlike(plain, output_name), _unlike(plain, residual_name)
    jobs: list[Job] = []
    for path, inside in plain.items():
        extra = extra_root and extra_root / inside.parent / extra_names[path]
        jobs.append(Job(path, root / inside.parent / names[path], extra, None, str(inside)))
    # Folders that will hold other results too, so no DICOM series can be the folder itself.
    shared = {parent for job in jobs for parent in job.target.parents}
    for folder in dicom_folders:
        shared.update((root / folder.relative_to(source)).parents)
    for folder in dicom_folders:
        jobs += _series_jobs(folder, folder.relative_to(source), root, extra_root, shared)
    return sorted(jobs, key=lambda job: job.name), ignored


def output_name(source: Path) -> str:
    """Name the output of a file: its own name, if that format can be written."""
    name = source.name.lower()
    if name.endswith(WRITABLE_SUFFIXES):
        return source.name
    return source.stem + (".nii.gz" if name.endswith(".mnc") else ".png")


def residual_name(source: Path) -> str:
    """Name the residual of a file: its own name, if that format holds fractions."""
    name = source.name.lower()
    if name.endswith(RESIDUAL_SUFFIXES):
        return source.name
    if source.is_dir():
        return source.resolve().name + ".nii.gz"
    return source.stem + (".nii.gz" if name.endswith((".mnc", *DICOM_SUFFIXES)) else ".tif")


def _unlike(files: Iterable[Path], name: Callable[[Path], str]) -> dict[Path, str]:
    """Name the output of each file; of two that would share a name, a.jpg gets a.jpg.png."""
    wanted = {file: name(file) for file in files}
    often = Counter(file.with_name(target) for file, target in wanted.items())
    return {
        file: target
        if target == file.name or often[file.with_name(target)] == 1
        else file.name + target.removeprefix(file.stem)
        for file, target in wanted.items()
    }


def _series_jobs(
    folder: Path, inside: Path, root: Path, extra_root: Path | None, shared: set[Path]
) -> Iterator[Job]:
    """Plan one job for each DICOM series whose files lie in ``folder`` itself."""
    series = [info for info, _ in find(folder).series]
    here = [info for info in series if any(file.parent == folder for file in info.files)]
    alone = len(here) == 1 and root / inside not in shared
    for info in here:
        single = len(info.files) == 1
        own = info.files[0].stem.replace(".", "_") if single else f"series-{info.number}"
        place = inside if alone else inside / own
        extra = extra_root and extra_root / place.parent / f"{place.name}.nii.gz"
        what = info.files[0] if single else folder
        number = None if single else str(info.number)
        yield Job(what, root / place, extra, number, f"{inside} ({info})")


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


def _place(output: str, source: Path, name: str = "") -> Path:
    """Return the path to write; an existing folder gets a file named like the input's."""
    path = Path(output).expanduser()
    if not (path.is_dir() or output.endswith(("/", os.sep))):
        return path
    if name:
        return path / name
    if source.is_dir():
        return path
    if is_dicom(source):
        # A folder of DICOM files, in which a dot would pass for an unknown format.
        return path / source.stem.replace(".", "_")
    return path / source.name


def _check_suffix(target: Path, source: Path) -> None:
    if target.name.lower().endswith(WRITABLE_SUFFIXES):
        return
    if is_dicom(source) and (not target.suffix or target.is_dir()):
        return
    found = repr(target.suffix) if target.suffix else "a name without suffix"
    raise InputError(
        f"Cannot write {target}: {found} is not a format that can be written. End it in one of "
        f"{', '.join(WRITABLE_SUFFIXES)}; a DICOM series can also be written to a new folder, "
        "named without a suffix."
    )


def _check_residual(path: Path) -> None:
    if not path.name.lower().endswith(RESIDUAL_SUFFIXES):
        raise InputError(
            f"Cannot write the residual to {path}: it has negative fractions. End its name in one "
            f"of {', '.join(RESIDUAL_SUFFIXES)}."
        )


def _check_apart(target: Path, source: Path) -> None:
    if target.resolve() == source.resolve():
        raise InputError(
            f"The output {target} is the input itself, which is never replaced. "
            "Choose another name or folder."
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
