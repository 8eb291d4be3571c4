"""Writing a file or a folder so that it is whole or not there at all."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DranError, FileWriteError, OutputExistsError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# With less free than this, or than is needed, an exception without a reason is taken for
# a full disk: SimpleITK and tifffile do not always pass on the operating system's word.
_NEARLY_NOTHING = 1 << 16


@contextmanager
def writing(
    path: str | Path, overwrite: bool = False, *, size: int | None = None
) -> Iterator[Path]:
    """Give a temporary path, and move what was written there to ``path`` at the end.

    The temporary path has the same name, in a hidden folder beside the target, so
    that libraries see the right suffix and a header that names its data file names
    it rightly. Nothing exists there yet: the body makes a file, several files whose
    stem is that of ``path``, or a folder. An old file stays whole until the new one
    is complete; if the body fails, nothing is left behind.

    Parameters
    ----------
    path : str or Path
        Where the file or folder shall be in the end.
    overwrite : bool
        Replace what is there. A folder is replaced only if it holds nothing but
        the DICOM files of one series: its other contents would be lost.
    size : int, optional
        Bytes that will be written, for the message when the disk is full.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputExistsError
        There is something already, and ``overwrite`` was not asked for.
    FileWriteError
        The folder does not exist or is not writable, or the disk is full.
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()
    check_target(path, overwrite)
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".napari-dran-", dir=path.parent))
    except OSError as error:
        raise _explain(error, path, size) from error
    try:
        yield scratch / path.name
        _move(scratch, path, overwrite)
    except DranError:
        raise
    except (OSError, RuntimeError) as error:
        raise _explain(error, path, size) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_target(path: Path, overwrite: bool) -> None:
    """Say early, before hours of work, whether ``path`` may be written.

    Parameters
    ----------
    path : Path
        Where a file or folder shall be in the end.
    overwrite : bool
        As for :func:`writing`.

    Raises
    ------
    OutputExistsError, FileWriteError
        As for :func:`writing`.
    """
    if not path.parent.is_dir():
        raise FileWriteError(
            f"Cannot write {path}: the folder {path.parent} does not exist. "
            "Create it first, or choose another place."
        )
    if not path.exists() or _is_empty_folder(path):
        return
    if not overwrite:
        raise OutputExistsError(
            f"{path} exists already. Choose another name, or allow overwriting "
            "(overwrite=True, --overwrite)."
        )
    if path.is_dir():
        for entry in path.iterdir():
            if not _looks_like_dicom(entry):
                raise OutputExistsError(
                    f"The folder {path} holds more than DICOM files ({entry.name}), which "
                    "overwriting would delete. Choose another folder, or empty this one first."
                )
        _check_series(path)


def _check_series(folder: Path) -> None:
    """Refuse to replace a folder of DICOM files that holds more than one series."""
    from .dicom_series import find, quiet

    with quiet():
        found = find(folder)
    held = [str(info) for info, _ in found.series] + sorted(set(found.others))
    if len(held) > 1:
        raise OutputExistsError(
            f"The folder {folder} holds more than one series, and overwriting would delete them "
            f"all ({'; '.join(held[:5])}). Choose another folder."
        )


def _move(scratch: Path, path: Path, overwrite: bool) -> None:
    """Bring everything in ``scratch`` to its place, the file of the asked name last."""
    made = sorted(scratch.iterdir(), key=lambda entry: entry.name == path.name)
    if not made or made[-1].name != path.name:
        raise FileWriteError(f"Could not write {path}: nothing was written.")
    for entry in made[:-1]:
        if (path.parent / entry.name).exists() and not overwrite:
            raise OutputExistsError(
                f"{path.parent / entry.name}, which belongs to {path.name}, exists already. "
                "Choose another name, or allow overwriting (overwrite=True, --overwrite)."
            )
    for entry in made:
        target = path.parent / entry.name
        if not target.is_dir():
            entry.replace(target)
            continue
        # A folder cannot be replaced in one step: the old one waits in the
        # scratch folder until the new one is in place.
        old = scratch / f"{entry.name}.old"
        target.rename(old)
        try:
            entry.rename(target)
        except OSError:
            old.rename(target)
            raise


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _looks_like_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _free(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _NEARLY_NOTHING


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _errno(error: BaseException | None) -> int | None:
    """Return the operating system's number for an error, or for the one it was made of."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _explain(error: OSError | RuntimeError, path: Path, size: int | None) -> FileWriteError:
    number = _errno(error)
    full = number is None and _free(path) < max(size or 0, _NEARLY_NOTHING)
    if number in _DISK_FULL or full:
        needed = f"about {_bytes(size)} are needed, " if size else ""
        return FileWriteError(
            f"Could not write {path}: the disk is full ({needed}{_bytes(_free(path))} are free). "
            "Free some space, or choose another disk."
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FileWriteError(
            f"Could not write {path}: no permission to write in {path.parent}. "
            "Choose another folder."
        )
    reason = getattr(error, "strerror", None) or _sentence(error).rstrip(".")
    return FileWriteError(f"Could not write {path}: {reason}.")


def _bytes(number: int) -> str:
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = min(len(str(number)) - 1, 12) // 3
    return f"{number / 1000**power:.3g} {units[power]}"
