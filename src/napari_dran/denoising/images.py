"""What a user calls an image, as a Volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..volume import Volume
from .blending import check_dtype
from .lazy import is_dask


def as_volume(image: Any, axes: str | None = None) -> Volume:
    """Return an array or Volume as a Volume of integers or floats.

    Raises
    ------
    InputError
        It is no image.
    """
    if isinstance(image, Volume):
        if axes and axes != image.axes:
            raise InputError(
                f"The volume has the axes {image.axes!r}, so axes={axes!r} cannot be given too."
            )
        volume = image
    elif isinstance(image, str | Path):
        raise InputError(
            f"Expected an image, got the text {str(image)!r}. If it is the name of a file, read "
            "the file first: napari_dran.read_volume(...)."
        )
    elif np.ma.is_masked(image):
        raise InputError(
            "Expected an image without a mask: what lies under it would be denoised too. "
            "Fill it first, e.g. with image.filled(value), or as floats with NaN."
        )
    else:
        data = image if is_dask(image) else np.asarray(image)
        volume = Volume(data, axes or "")
    check_dtype(volume.dtype)
    return volume
