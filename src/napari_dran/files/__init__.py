"""Reading and writing volumes; the format is told by the suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import FileReadError, FileWriteError
from ..volume import Volume

_NIFTI = (".nii.gz", ".nii")
_ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
_MGH = (".mgz", ".mgh")
_MINC = (".mnc",)
_TIFF = (".tif", ".tiff")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")

READABLE_SUFFIXES: tuple[str, ...] = (
    *_NIFTI, *_ITK, *_MGH, *_MINC, *_TIFF, *_PICTURES, *DICOM_SUFFIXES,
)  # fmt: skip
"""Lower case; DICOM files are known by their content as well, folders of them too."""

WRITABLE_SUFFIXES: tuple[str, ...] = (*_NIFTI, *_ITK, *_MGH, *_TIFF, ".png")
"""Lower case; a name without a suffix is a folder for a DICOM series."""

LABELS_SUFFIX = ".seg.dcm"
"""Lower case; labels of a DICOM series are written as a DICOM segmentation."""


def read_volume(path: str | Path, *, series: str | None = None) -> Volume:
    """Read an image file or a folder of DICOM files.

    Parameters
    ----------
    path : str or Path
        A file of one of ``READABLE_SUFFIXES``, a DICOM file of any name, or a
        folder that holds a DICOM series.
    series : str, optional
        Which series of a DICOM folder that holds several: its SeriesInstanceUID,
        the end of it, or its number, counted from 1.

    Returns
    -------
    Volume
        In memory, axes reordered to z, y, x.

    Raises
    ------
    FileReadError
        The file is missing, damaged, or of no known format.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileReadError(f"There is no file or folder {path}. Check the name and the folder.")
    if path.is_dir():
        from .dicom import read_dicom

        return read_dicom(path, series)
    suffix = _suffix(path, READABLE_SUFFIXES)
    if not suffix or suffix in DICOM_SUFFIXES:
        return _read_dicom_file(path, suffix, series)
    from .reading import reading

    # Once more around the whole: what a damaged header says may fail anywhere.
    with reading(path, suffix):
        return _reader(suffix)(path)


def write_volume(volume: Volume, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a volume; what is there stays whole until the new file is complete.

    Parameters
    ----------
    volume : Volume
        The volume.
    path : str or Path
        A name that ends in one of ``WRITABLE_SUFFIXES``; or a name without a
        suffix, or the name of a folder: a DICOM series is written into it; or, for
        labels of a DICOM series, a name that ends in .seg.dcm.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    FileWriteError
        The format is not known, the folder does not exist, the disk is full.
    OutputExistsError
        There is something already, and ``overwrite`` was not asked for.
    InputError
        The format cannot hold this volume.
    """
    path = Path(path).expanduser()
    if path.name.lower().endswith(LABELS_SUFFIX):
        from .dicom_seg import write_dicom_seg

        return write_dicom_seg(volume, path, overwrite=overwrite)
    suffix = _suffix(path, WRITABLE_SUFFIXES)
    if path.is_dir() or not path.suffix or (not suffix and _is_dicom_name(path, volume)):
        from .dicom_write import write_dicom_series

        return write_dicom_series(volume, path, overwrite=overwrite)
    if not suffix:
        raise FileWriteError(
            f"Cannot write {path.name}: {_found(path)} is not a format that can be written. "
            f"Use {', '.join(WRITABLE_SUFFIXES)}, a name without a suffix for a folder of "
            f"DICOM files, or {LABELS_SUFFIX} for labels of a DICOM series."
        )
    from .atomic import writing

    with writing(path, overwrite, size=volume.data.nbytes) as temporary:
        _writer(suffix)(volume, temporary)
    return path


def is_readable(path: str | Path) -> bool:
    """Say whether :func:`read_volume` would try to read a file or folder.

    Parameters
    ----------
    path : str or Path
        It need not exist if its name tells its format.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        files = (entry for entry in sorted(path.iterdir()) if entry.is_file())
        return any(_has_dicom_mark(file) for _, file in zip(range(20), files, strict=False))
    return bool(_suffix(path, READABLE_SUFFIXES)) or _has_dicom_mark(path)


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    name = path.name.lower()
    return next((suffix for suffix in known if name.endswith(suffix)), "")


def _is_dicom_name(path: Path, volume: Volume) -> bool:
    """Whether a name with dots is meant for a folder: folders are often called by their UID."""
    source = volume.source
    if source is None or source.format != "dicom":
        return False
    return path.suffix[1:].isdigit() or (source.path is not None and source.path.name == path.name)


def _found(path: Path) -> str:
    return repr(path.suffix) if path.suffix else "a name without a suffix"


def _has_dicom_mark(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _read_dicom_file(path: Path, suffix: str, series: str | None) -> Volume:
    from .dicom import is_dicom, read_dicom

    if suffix or is_dicom(path):
        return read_dicom(path, series)
    raise FileReadError(
        f"Cannot tell the format of {path}: {_found(path)} is not known and it is no DICOM "
        f"file. Known are {', '.join(READABLE_SUFFIXES)} and DICOM files and folders."
    )


def _reader(suffix: str) -> Callable[[Path], Volume]:
    if suffix in _NIFTI:
        from .nifti import read_nifti

        return read_nifti
    if suffix in _ITK:
        from .itk import read_itk

        return read_itk
    if suffix in _MGH:
        from .mgh import read_mgh

        return read_mgh
    if suffix in _MINC:
        from .minc import read_minc

        return read_minc
    from .image import read_image

    return read_image


def _writer(suffix: str) -> Callable[[Volume, Path], None]:
    if suffix in _NIFTI:
        from .nifti import write_nifti

        return write_nifti
    if suffix in _ITK:
        from .itk import write_itk

        return write_itk
    if suffix in _MGH:
        from .mgh import write_mgh

        return write_mgh
    from .image import write_image

    return write_image
