"""Detection: where the objects are, one by one, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from ..intensity import Window
from .analyser import Analyser, look_at
from .denoising_first import Denoise
from .detections import Detection, Detections
from .inputs import AUTO
from .objects import ROUNDING
from .preparation import Options, check_share, check_size, pixels_of

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


class Detector(Analyser):
    """Finds objects with one network, which is loaded once.

    Parameters
    ----------
    weights, device
        As for :class:`~napari_dran.analysis.Segmenter`; weights that detect.
    """

    task = "detect"

    def __init__(self, weights: str | Path = BRAIN_TUMOUR, *, device: str = AUTO) -> None:
        super().__init__(weights, device)

    def run(
        self,
        image: Any,
        *,
        score_threshold: float = SCORE_THRESHOLD,
        minimum_size: float = 0.0,
        **options: Unpack[Options],
    ) -> Detections:
        """Find the objects of a whole image, slice by slice.

        Parameters
        ----------
        image, options
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
        MissingPackageError
            torchvision or its operators are not there.
        InputError, OutOfMemoryError, DeviceError, Cancelled
            As for :meth:`~napari_dran.analysis.Segmenter.run`.
        """
        least = check_share("score threshold", score_threshold)
        size = check_size(minimum_size)
        ready = self._prepare(image, **options)
        letters, axis = ready.seen.planes.axes, ready.seen.axis
        smallest = pixels_of(size, ready.image, letters.replace(axis, "")) * (1 - ROUNDING)
        items: list[Detection] = []
        for index, found in self._look(ready, partial(self._objects, least=least)):
            place = {a: n for a, n in zip(letters, index, strict=True) if isinstance(n, int)}
            items += [
                Detection(place.get("t"), place.get(axis, 0), *each)
                for each in found
                if each.mask.sum() >= smallest
            ]
        what = f"{' or '.join(self.card.classes)} with a score above {least:g}"
        return Detections(
            items=tuple(items),
            image=ready.image,
            axes=letters,
            axis=axis,
            card=self.card,
            denoised=ready.denoised,
            notes=self._notes(ready, "" if items else what, size),
        )

    def _objects(self, network: Any, pixels: Tensor, least: float) -> list[Found]:
        """Find the objects in (1, channels, height, width) with a score of ``least`` or more."""
        from torch.nn import functional as F

        from ..network.sides import bring_to_side

        height, width = pixels.shape[-2:]
        pixels = bring_to_side(pixels, self.card.side)
        found = network([pixels[0]])[0]
        scale = np.array([width, height] * 2) / np.array([*pixels.shape[:1:-1]] * 2)
        boxes = np.clip(found["boxes"].float().cpu().numpy() * scale, 0, [width, height] * 2)
        scores = found["scores"].float().cpu().numpy()
        objects = []
        for number in np.flatnonzero(scores >= least):
            # One by one: all at once, those of a large slice would fill the memory.
            mask = found["masks"][number : number + 1].float()
            if pixels.shape[-2:] != (height, width):
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
    image, weights, device, axes, window, axis, denoise, progress
        As for :func:`~napari_dran.analysis.segment`.
    score_threshold, minimum_size
        See :meth:`Detector.run`.

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
    options: Options = {"window": window, "axis": axis, "denoise": denoise, "progress": progress}
    run = partial(
        Detector(weights, device=device).run,
        score_threshold=score_threshold,
        minimum_size=minimum_size,
    )
    return look_at(run, image, axes, options)
