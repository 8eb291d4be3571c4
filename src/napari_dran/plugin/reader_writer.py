"""napari's readers and writers; the files themselves are the business of ``files``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .layers import METADATA_KEY, layer_data_to_volume, volume_to_layer
from .pending import settle

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Tell napari whether we can read a file or folder, and how.

    Parameters
    ----------
    path : str or list of str
        One file, a folder with a DICOM series, or several files.

    Returns
    -------
    callable or None
        None hands the path on to another reader.
    """
    from ..files import is_readable

    paths = [path] if isinstance(path, str) else list(path)
    return read_layers if paths and all(is_readable(p) for p in paths) else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read each path as an image layer that knows where it lies in the patient.

    A DICOM folder with several series gives a layer for each.

    Parameters
    ----------
    path : str or list of str
        See :func:`get_reader`.

    Raises
    ------
    FileReadError
        A file is missing, damaged, or holds no image.
    """
    from ..files import read_volume

    layers = []
    for one in [path] if isinstance(path, str) else path:
        # A dialog cannot ask which series of a folder is meant: each becomes a layer.
        for series in _series(Path(one)):
            layer = volume_to_layer(read_volume(one, series=series))
            # A copied recipe has to name it.
            layer[1]["metadata"][METADATA_KEY]["series"] = series
            layers.append(layer)
    return layers


def _series(path: Path) -> list[str | None]:
    """List the series to read from a path: None where there is no choice."""
    if not path.is_dir():
        return [None]
    from ..files.dicom_series import list_series

    found = list_series(path)
    return [str(info.number) for info in found] if len(found) > 1 else [None]


def write_layer(path: str, data: Any, arguments: dict[str, Any]) -> list[str]:
    """Write an image or labels layer as a volume at the place where it lies now.

    napari asked the user about overwriting before it came here.

    Parameters
    ----------
    path : str
        Ends in the suffix of a format we write.
    data : ndarray or dask array
        The layer's data.
    arguments : dict
        What ``layer.as_layer_data_tuple()`` gives.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    InputError
        The layer's data cannot be a volume.
    FileWriteError
        The file cannot be written.
    """
    from ..files import write_volume

    settle(data)
    volume = layer_data_to_volume(data, arguments)
    return [str(write_volume(volume, Path(path), overwrite=True))]
