"""Detection: where the objects are, one by one, and how sure that is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..intensity import Window
from ..weights import read_card, require_task
from .denoising_first import Denoise
from .detections import Detection, Detections
from .inputs import AUTO
from .layers import layer_volume
from .objects import ROUNDING
from .preparation import check_share, check_size, pixels_of, prepare
from .runner import Runner

if TYPE_CHECKING:
    from torch import Tensor

BRAIN_TUMOUR = "maskrcnn-brain-tumour"
SCORE_THRESHOLD = 0.5
MASK_THRESHOLD = 0.5
"""Least probability of a pixel in an object's mask (He et al. 2017)."""


class Found(NamedTuple):
    """One object of a slice, see :class:`~napari_dran.analysis.Detection`."""

    box: tuple[float, float, float, float]
    score: float
    name: str
    corner: tuple[int, int]
    mask: np.ndarray


class Detector:
    """Finds objects with one network, which is loaded once.

    Parameters
    ----------
    weights : str or Path
        A shipped name, or a .safetensors file.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    WeightsError
        There are no such weights, or they do not detect.
    DeviceError
        There is no such device.
    """

    def __init__(self, weights: str | Path = BRAIN_TUMOUR, *, device: str = AUTO) -> None:
        self.card = require_task(read_card(weights), "detect")
        self._runner = Runner(weights, device)

    def run(
        self,
        image: Any,
        *,
        axes: str | None = None,
        window: str | tuple[float, float] | Window = AUTO,
        axis: int | str = 0,
        score_threshold: float = SCORE_THRESHOLD,
        minimum_size: float = 0.0,
        denoise: Denoise = False,
        contrast_limits: tuple[float, float] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Detections:
        """Find the objects of a whole image, slice by slice.

        Parameters
        ----------
        image, axes, window, axis, denoise, contrast_limits, progress
            As for :meth:`~napari_dran.analysis.Segmenter.run`.
        score_threshold : float
            Least score, from 0 to 1.
        minimum_size : float
            Objects of a smaller area are dropped; in the square of the image's unit, or a
            number of pixels where that is "pixel".

        Returns
        -------
        Detections
            The objects.

        Raises
        ------
        InputError
            The image does not fit the network; threshold or size cannot be.
        OutOfMemoryError, DeviceError
            The device could not do it.
        MissingPackageError
            torchvision or its operators are not there.
        Cancelled
            ``progress`` returned False.
        """
        least = check_share("score threshold", score_threshold)
        size = check_size(minimum_size)
        ready = prepare(
            image, self.card, self._runner.device_name, axes=axes, window=window, axis=axis,
            denoise=denoise, contrast_limits=contrast_limits, progress=progress,
        )  # fmt: skip
        seen, letters = ready.seen, ready.seen.planes.axes
        smallest = pixels_of(size, ready.image, letters.replace(seen.axis, "")) * (1 - ROUNDING)
        look = partial(self._objects, least=least)
        items: list[Detection] = []
        try:
            for number, index in enumerate(seen.indices, start=1):
                place = {a: n for a, n in zip(letters, index, strict=True) if isinstance(n, int)}
                pixels = seen.pixels(index)
                found = [] if pixels is None else self._runner.run(pixels, look)
                items += [
                    Detection(place.get("t"), place.get(seen.axis, 0), *each)
                    for each in found
                    if each.mask.sum() >= smallest
                ]
                ready.tell(number, len(seen.indices))
        finally:
            self._runner.free_cache()
        notes = (*ready.notes, *self._runner.notes)
        if not items:
            what = " or ".join(self.card.classes)
            notes = (*notes, f"Nothing was found: no {what} with a score above {least:g}.")
        return Detections(
            items=tuple(items),
            image=ready.image,
            axes=letters,
            axis=seen.axis,
            card=self.card,
            denoised=ready.denoised,
            notes=notes,
        )

    def load(self) -> None:
        """Load the network now, so that what is wrong with it is known before any work.

        Raises
        ------
        WeightsError
            The file is damaged.
        MissingPackageError
            What the network is made of is not installed.
        """
        self._runner.load()

    def release(self) -> None:
        """Give back all device memory."""
        self._runner.release()

    def _objects(self, network: Any, pixels: Tensor, least: float) -> list[Found]:
        """Find the objects in (1, channels, height, width) with a score of ``least`` or more."""
        from torch.nn import functional as F

        height, width = pixels.shape[-2:]
        factor = self.card.side / max(height, width) if self.card.side else 1.0
        if factor != 1.0:
            sides = [max(1, round(side * factor)) for side in (height, width)]
            pixels = F.interpolate(
                pixels, sides, mode="bilinear", align_corners=False, antialias=factor < 1
            )
        found = network([pixels[0]])[0]
        scale = np.array([width, height] * 2) / np.array([*pixels.shape[:1:-1]] * 2)
        boxes = np.clip(found["boxes"].float().cpu().numpy() * scale, 0, [width, height] * 2)
        scores = found["scores"].float().cpu().numpy()
        objects = []
        for number in np.flatnonzero(scores >= least):
            # One by one: all at once, those of a large slice would fill the memory.
            mask = found["masks"][number : number + 1].float()
            if factor != 1.0:
                mask = F.interpolate(mask, (height, width), mode="bilinear", align_corners=False)
            inside = (mask[0, 0] >= MASK_THRESHOLD).cpu().numpy()
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            if rows.size:
                corner = int(rows[0]), int(columns[0])
                cut = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
                x0, y0, x1, y1 = boxes[number].tolist()
                name = self.card.classes[int(found["labels"][number]) - 1]
                objects.append(Found((y0, x0, y1, x1), float(scores[number]), name, corner, cut))
        return objects


def detect(
    image: Any,
    *,
    weights: str | Path = BRAIN_TUMOUR,
    axes: str | None = None,
    window: str | tuple[float, float] | Window = AUTO,
    axis: int | str = 0,
    score_threshold: float = SCORE_THRESHOLD,
    minimum_size: float = 0.0,
    denoise: Denoise = False,
    device: str = AUTO,
    progress: Callable[[int, int], object] | None = None,
) -> Detections:
    """Find objects in an image.

    Parameters
    ----------
    image : ndarray, dask array, Volume, or napari Image layer
        See :meth:`~napari_dran.analysis.Segmenter.run`.
    weights : str or Path
        A shipped name, or a .safetensors file.
    axes, window, axis, score_threshold, minimum_size, denoise, progress
        See :meth:`Detector.run`.
    device : str
        "auto", "cpu", "cuda", "mps".

    Returns
    -------
    Detections
        Boxes, masks, scores and names; as labels, or as rectangles for a viewer.

    Raises
    ------
    InputError, WeightsError, MissingPackageError, DeviceError, OutOfMemoryError, Cancelled
        See :class:`Detector`.

    Warns
    -----
    UserWarning
        What to know before trusting the result (``Detections.notes``).
    """
    detector = Detector(weights, device=device)
    limits = None
    if hasattr(image, "as_layer_data_tuple"):
        (image, limits), axes = layer_volume(image, axes), None
    found = detector.run(
        image,
        axes=axes,
        window=window,
        axis=axis,
        score_threshold=score_threshold,
        minimum_size=minimum_size,
        denoise=denoise,
        contrast_limits=limits,
        progress=progress,
    )
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    return found
