"""Segmentation: which pixels belong to what is looked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ..errors import WeightsError
from ..intensity import Window
from ..volume import Volume
from .analyser import Analyser, look_at
from .denoising_first import Denoise
from .inputs import AUTO
from .layers import is_layer, labels_layer
from .objects import inside, mean_inside, number_objects, split_touching
from .preparation import Options, Prepared, check_share, check_size, pixels_of
from .segmentations import Segmentation, kinds_of

if TYPE_CHECKING:
    from torch import Tensor

BRAIN_TUMOUR = "unet-brain-tumour"
THRESHOLD = 0.5
LARGEST_SIDE = 1152
"""Slices with a longer side are looked at in windows; 2 GB hold one at two scales."""
OVERLAP = 0.25
"""Of the windows; they are joined with weights that fall towards their rims."""
WINDOW_STEP = 32
"""Sides of windows are multiples: of the strides of networks, and for a whole overlap."""
LABELS_SUFFIX = " (segmented)"


class Segmenter(Analyser):
    """Segments images with one network, which is loaded once.

    Parameters
    ----------
    weights : str or Path
        A shipped name, or a .safetensors file.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    WeightsError
        There are no such weights, or they do not segment.
    DeviceError
        There is no such device.
    """

    task = "segment"

    def __init__(self, weights: str | Path = BRAIN_TUMOUR, *, device: str = AUTO) -> None:
        super().__init__(weights, device)

    def run(
        self,
        image: Any,
        *,
        threshold: float = THRESHOLD,
        minimum_size: float = 0.0,
        **options: Unpack[Options],
    ) -> Segmentation:
        """Segment a whole image, slice by slice.

        Parameters
        ----------
        image : ndarray, dask array or Volume
            2-D to 4-D; for weights with several inputs, these along "c" or as colour
            samples, or one grey image that stands for all.
        threshold : float
            Least probability, from 0 to 1.
        minimum_size : float
            Smaller objects are dropped: area in a single slice, volume in a stack, in
            the square or the cube of the image's unit; of classes, smaller parts. Where
            the unit is "pixel", a number of pixels.
        options
            How to look: axes, window, axis, denoise, contrast_limits, progress; see
            :class:`~napari_dran.analysis.Options`.

        Returns
        -------
        Segmentation
            Labels, probabilities, and what there is to know.

        Raises
        ------
        InputError
            The image does not fit the network; threshold or size cannot be.
        OutOfMemoryError, DeviceError
            The device could not do it.
        Cancelled
            ``progress`` returned False.
        """
        threshold, smallest = check_share("threshold", threshold), check_size(minimum_size)
        ready = self._prepare(image, **options)
        volume, axes, axis = ready.image, ready.seen.planes.axes, ready.seen.axis
        labels, probability, kind = self._segment(ready, threshold)
        number_objects(labels, axes, axis, kind, pixels_of(smallest, volume))
        scores = mean_inside(labels, probability)
        missing = "" if scores else f"{' or '.join(kinds_of(self.card))} above {threshold:g}"
        history = (*volume.history, self._history(threshold))
        return Segmentation(
            labels=volume.with_data(labels, axes=axes, history=history),
            probability=volume.with_data(probability, axes=axes, history=history),
            image=volume,
            card=self.card,
            axis=axis,
            denoised=ready.denoised,
            scores=scores,
            notes=self._notes(ready, missing, smallest),
        )

    def _segment(self, ready: Prepared, threshold: float) -> tuple[np.ndarray, np.ndarray, str]:
        """Return labels, probability, and what kind of labels they are."""
        shape = ready.seen.planes.data[0].shape
        probability = np.zeros(shape, dtype=np.float32)
        labels = np.zeros(shape, dtype=np.int32)
        kind = "mask"
        for index, found in self._look(ready, self._probabilities):
            probability[index] = inside(found)
            if self.card.border:
                kind, labels[index] = "slices", split_touching(found, threshold)
            else:
                mask = probability[index] >= threshold
                kind = "classes" if len(found) > 2 else "mask"
                labels[index] = np.where(mask, found[1:].argmax(0) + 1, 0)
        return labels, probability, kind

    def _probabilities(self, network: Any, pixels: Tensor) -> np.ndarray:
        """Return float32 (classes, height, width) for (1, channels, height, width)."""
        from monai.inferers import SlidingWindowInferer
        from torch.nn import functional as F

        from ..network.sides import bring_to_side

        size = tuple(pixels.shape[-2:])
        pixels = bring_to_side(pixels, self.card.side)
        if max(pixels.shape[-2:]) > LARGEST_SIDE:
            sides = tuple(map(_window_side, pixels.shape[-2:]))
            logits = SlidingWindowInferer(sides, overlap=OVERLAP, mode="gaussian")(pixels, network)
        else:
            logits = network(pixels)
        found = logits.float().softmax(1)
        if tuple(found.shape[-2:]) != size:
            found = F.interpolate(found, size, mode="bilinear", align_corners=False)
        result: np.ndarray = found[0].cpu().numpy()
        if not np.isfinite(result).all():
            raise WeightsError(
                f"The weights {self.card.name!r} gave values that are not finite, so they are of "
                "no use. Choose other weights."
            )
        return result

    def _history(self, threshold: float) -> dict[str, Any]:
        return {
            "operation": "segment",
            "weights": self.card.name,
            "sha256": self.card.sha256,
            "threshold": threshold,
        }


def _window_side(side: int) -> int:
    """Return the side of the fewest windows that cover one of a slice, evenly.

    Windows of the largest side would see most of a slice twice that is a little larger.
    None is larger than the slice, which would be filled up with black otherwise.
    """
    if side <= LARGEST_SIDE:
        return side
    steps = math.ceil((side / LARGEST_SIDE - 1) / (1 - OVERLAP))
    even = side / (1 + steps * (1 - OVERLAP))
    return math.ceil(even / WINDOW_STEP) * WINDOW_STEP


def segment(
    image: Any,
    *,
    weights: str | Path = BRAIN_TUMOUR,
    axes: str | None = None,
    window: str | tuple[float, float] | Window = AUTO,
    axis: int | str = 0,
    threshold: float = THRESHOLD,
    minimum_size: float = 0.0,
    denoise: Denoise = False,
    device: str = AUTO,
    probabilities: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Any:
    """Segment an image.

    Parameters
    ----------
    image : ndarray, dask array, Volume, or napari Image layer
        See :meth:`Segmenter.run`.
    weights : str or Path
        A shipped name, or a .safetensors file.
    threshold, minimum_size
        See :meth:`Segmenter.run`.
    axes, window, axis, denoise, progress
        See :class:`~napari_dran.analysis.Options`.
    device : str
        "auto", "cpu", "cuda", "mps".
    probabilities : bool
        Also return how likely each pixel belongs to an object.

    Returns
    -------
    ndarray, Volume, or napari Labels layer
        int32 labels for what went in, with its geometry; with ``probabilities`` a
        pair, the second of float32 (for a layer an ndarray).

    Raises
    ------
    InputError, WeightsError, DeviceError, OutOfMemoryError, Cancelled
        See :class:`Segmenter`.

    Warns
    -----
    UserWarning
        What to know before trusting the result (``Segmentation.notes``).
    """
    options: Options = {"window": window, "axis": axis, "denoise": denoise, "progress": progress}
    run = partial(
        Segmenter(weights, device=device).run, threshold=threshold, minimum_size=minimum_size
    )
    found = look_at(run, image, axes, options)
    labels: Any = found.labels
    probability: Any = found.probability
    if is_layer(image):
        labels, probability = labels_layer(image, found.labels, LABELS_SUFFIX), probability.data
    elif not isinstance(image, Volume):
        labels, probability = labels.data, probability.data
    return (labels, probability) if probabilities else labels
