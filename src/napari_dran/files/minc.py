"""MINC 1 and 2 (.mnc), reading only."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileReadError
from ..volume import Source, Volume
from .orientation import to_volume_order, zyx_from_ras
from .reading import reading

_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_minc(path: Path) -> Volume:
    """Read a MINC file into memory.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Volume
        Values are float32: MINC scales each slice of its integers for itself.
        float64 if the file holds more than 16 bits a value.

    Raises
    ------
    FileReadError
        The file is damaged, or is MINC 2 and h5py is not installed.
    """
    import nibabel

    with path.open("rb") as file:
        second = file.read(8) == _HDF5
    if second and importlib.util.find_spec("h5py") is None:
        raise FileReadError(
            f"{path} is a MINC 2 file, and reading it needs h5py. Install it with: pip install h5py"
        )
    with reading(path, "MINC"):
        image: Any = nibabel.load(path)
        minc = image.dataobj.minc_file
        try:
            bits = minc.get_data_dtype().itemsize * 8
            data = np.asarray(image.dataobj).astype(np.float32 if bits <= 16 else np.float64)
            names = [
                name.decode() if isinstance(name, bytes) else str(name) for name in minc._dim_names
            ]
        finally:
            minc._mincfile.close()
    further = [name for name in names if not name.endswith("space")]
    if len(names) - len(further) != 3 or len(further) > 1 or "vector_dimension" in further:
        raise FileReadError(
            f"{path} has the axes {', '.join(names)}. "
            "Expected three in space and at most one in time; extract a part first."
        )
    if further:
        data = np.moveaxis(data, names.index(further[0]), 0)
    first = len(further)
    data, permutation, flips, affine = to_volume_order(data, first, zyx_from_ras(image.affine))
    source = Source("minc", path, None, permutation, flips, affine.copy())
    return Volume(data, "t" * first + "zyx", affine, "mm", None, path.stem, source)
