"""Dask arrays: denoised slice by slice, when they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ..volume import Volume
from .blending import blend

if TYPE_CHECKING:
    from .denoiser import Denoiser
    from .plan import PlanOptions


def is_dask(data: Any) -> bool:
    """Tell whether ``data`` is a dask array, without importing dask."""
    return hasattr(data, "__dask_graph__") and hasattr(data, "rechunk")


def denoise_lazily(
    denoiser: Denoiser, image: Any, strength: float = 1.0, **options: Unpack[PlanOptions]
) -> Any:
    """Return a lazy dask array, or Volume of one, with one chunk a slice.

    The options are those of :meth:`Denoiser.plan`. They are checked, and the
    window is chosen, at once; the network runs when chunks are computed, one at a
    time, as it uses all cores by itself.
    """
    from dask.utils import SerializableLock

    plan = denoiser.plan(image, **options)
    predictor = denoiser.predictor(plan.card)
    predictor.batch_size(plan.slice_shape)  # raises if not even one slice fits
    one_slice = {
        position: 1 if letter in "tc" or letter == plan.axis else -1
        for position, letter in enumerate(plan.axes)
    }
    channel = plan.axes.find("c")
    inside = tuple(0 if size == 1 else slice(None) for size in one_slice.values())
    if plan.axes.endswith("s"):
        inside = (*inside[:-1], slice(0, 3))
    lock = SerializableLock()
    windows = plan.windows

    def denoise_block(block: np.ndarray, block_id: tuple[int, ...] = ()) -> np.ndarray:
        number = block_id[channel] if len(windows) > 1 else 0
        clean = np.array(block)
        pixels = clean[inside]
        with lock:
            (noise,) = predictor.noise_of([pixels], [windows[number]], plan.ensemble)
        clean[inside] = blend(pixels, noise, strength)
        return clean

    data = plan.data.rechunk(one_slice)
    clean = data.map_blocks(
        denoise_block, dtype=data.dtype, meta=np.empty((0,) * data.ndim, data.dtype)
    )
    if isinstance(image, Volume):
        history = (*image.history, plan.provenance(strength).as_dict())
        return image.with_data(clean, history=history)
    return clean
