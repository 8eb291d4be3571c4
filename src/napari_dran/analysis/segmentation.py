"""Segmentation: which pixels belong to what is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..denoising.denoiser import as_volume
from ..errors import InputError
from ..intensity import Window
from ..volume import Volume
from ..weights import Card, read_card, require_task
from .denoising_first import Denoise, denoise_first, denoise_options, passes, share
from .inputs import AUTO, NetworkInput, network_input
from .layers import labels_layer, layer_volume
from .objects import connected_objects, drop_small, mean_inside, split_touching
from .runner import Runner

if TYPE_CHECKING:
    from torch import Tensor

BRAIN_TUMOUR = "unet-brain-tumour"
THRESHOLD = 0.5
LARGEST_SIDE = 1024
"""Slices with a longer side are looked at in windows of this size."""
OVERLAP = 0.25
"""Of the windows; they are joined with weights that fall towards their rims."""
LABELS_SUFFIX = " (segmented)"


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a segmentation found.

    Parameters
    ----------
    labels : Volume
        int32, axes "[t][z]yx", with the image's geometry: 0 background, each object
        a number of its own (in every time point from 1).
    probability : Volume
        float32, the same axes: how likely each pixel belongs to an object.
    image : Volume
        What was segmented: the image, or the denoised one.
    card : Card
        Of the weights.
    axis : str
        The axis that slices were cut across.
    denoised : bool
        Whether it was denoised first.
    scores : mapping
        Label -> mean probability inside it, over all time points.
    notes : tuple of str
        Sentences to read before trusting the result.
    """

    labels: Volume
    probability: Volume
    image: Volume
    card: Card
    axis: str
    denoised: bool = False
    scores: Mapping[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.scores)


class Segmenter:
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

    def __init__(self, weights: str | Path = BRAIN_TUMOUR, *, device: str = AUTO) -> None:
        self.card = require_task(read_card(weights), "segment")
        self._runner = Runner(weights, device)

    def run(
        self,
        image: Any,
        *,
        axes: str | None = None,
        window: str | tuple[float, float] | Window = AUTO,
        axis: int | str = 0,
        threshold: float = THRESHOLD,
        minimum_size: float = 0.0,
        denoise: Denoise = False,
        contrast_limits: tuple[float, float] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Segmentation:
        """Segment a whole image, slice by slice.

        Parameters
        ----------
        image : ndarray, dask array or Volume
            2-D to 4-D; for weights with several inputs, these along "c" or as colour
            samples, or one grey image that stands for all.
        axes : str, optional
            Axes of an array.
        window : str, pair of float, or Window
            What the network sees as [0, 1], as for ``denoise``; "auto" takes 0 to 255
            for 8-bit images, and "percentile" for others.
        axis : int or str
            The spatial axis that slices are cut across.
        threshold : float
            Least probability, from 0 to 1.
        minimum_size : float
            Smaller objects are dropped: area in a single slice, volume in a stack, in
            the square or the cube of the image's unit (mm, um, or pixels).
        denoise : bool or mapping
            Denoise first; a mapping gives weights, window, axis, strength.
        contrast_limits : pair of float, optional
            For the window "contrast-limits".
        progress : callable, optional
            Called with (steps done, steps in all); returns False to cancel.

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
        threshold = check_share("threshold", threshold)
        if not minimum_size >= 0:
            raise InputError(f"Expected a minimum size of 0 or more, got {minimum_size}.")
        volume, options = as_volume(image, axes), denoise_options(denoise)
        seen = network_input(volume, self.card, window, axis, contrast_limits)
        count, before = len(seen.indices), 0
        if options is not None:
            before = count * passes(volume, self.card)
            volume = denoise_first(
                volume, self.card, options, self._runner.device_name,
                share(progress, 0, before + count),
            )  # fmt: skip
            seen = replace(seen, planes=network_input(volume, self.card, window, axis,
                                                      contrast_limits).planes)  # fmt: skip
        tell = share(progress, before, before + count)
        labels, probability = self._segment(seen, threshold, tell)
        labels, scores = _finished(labels, probability, seen, volume, minimum_size, self.card)
        notes = seen.planes.notes
        if not scores:
            notes = (*notes, f"Nothing was found: no {self.card.classes[0]} above {threshold:g}.")
        place = volume.with_data(labels, axes=seen.planes.axes)
        return Segmentation(
            labels=replace(place, history=(*volume.history, self._history(threshold))),
            probability=volume.with_data(probability, axes=seen.planes.axes),
            image=volume,
            card=self.card,
            axis=seen.axis,
            denoised=options is not None,
            scores=scores,
            notes=notes,
        )

    def release(self) -> None:
        """Give back all device memory."""
        self._runner.release()

    def _segment(
        self, seen: NetworkInput, threshold: float, tell: Callable[[int, int], object]
    ) -> tuple[np.ndarray, np.ndarray]:
        shape = seen.planes.data[0].shape
        probability = np.zeros(shape, dtype=np.float32)
        labels = np.zeros(shape, dtype=np.int32)
        for number, index in enumerate(seen.indices, start=1):
            found = self._runner.run(seen.pixels(index), self._probabilities)
            inside = 1 - found[0]
            probability[index] = inside
            if self.card.border:
                labels[index] = split_touching(found, threshold)
            elif len(found) > 2:
                labels[index] = np.where(inside >= threshold, found[1:].argmax(0) + 1, 0)
            else:
                labels[index] = inside >= threshold
            tell(number, len(seen.indices))
        return labels, probability

    def _probabilities(self, network: Any, pixels: Tensor) -> np.ndarray:
        """Return float32 (classes, height, width) for (1, channels, height, width)."""
        from monai.inferers import SlidingWindowInferer
        from torch.nn import functional as F

        size = tuple(pixels.shape[-2:])
        if self.card.side:
            factor = self.card.side / max(size)
            smaller = [max(1, round(side * factor)) for side in size]
            pixels = F.interpolate(
                pixels, smaller, mode="bilinear", align_corners=False, antialias=factor < 1
            )
        if max(pixels.shape[-2:]) > LARGEST_SIDE:
            inferer = SlidingWindowInferer(LARGEST_SIDE, overlap=OVERLAP, mode="gaussian")
            logits = inferer(pixels, network)
        else:
            logits = network(pixels)
        found = logits.float().softmax(1)
        if tuple(found.shape[-2:]) != size:
            found = F.interpolate(found, size, mode="bilinear", align_corners=False)
        result: np.ndarray = found[0].cpu().numpy()
        return result

    def _history(self, threshold: float) -> dict[str, Any]:
        return {
            "operation": "segment",
            "weights": self.card.name,
            "sha256": self.card.sha256,
            "threshold": threshold,
        }


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
    axes, window, axis, threshold, minimum_size, denoise, progress
        See :meth:`Segmenter.run`.
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
    import warnings

    segmenter = Segmenter(weights, device=device)
    options: dict[str, Any] = {
        "window": window, "axis": axis, "threshold": threshold, "minimum_size": minimum_size,
        "denoise": denoise, "progress": progress,
    }  # fmt: skip
    if hasattr(image, "as_layer_data_tuple"):
        volume, limits = layer_volume(image, axes)
        found = segmenter.run(volume, contrast_limits=limits, **options)
    else:
        found = segmenter.run(image, axes=axes, **options)
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    labels: Any = found.labels
    probability: Any = found.probability
    if hasattr(image, "as_layer_data_tuple"):
        labels, probability = labels_layer(image, found.labels, LABELS_SUFFIX), probability.data
    elif not isinstance(image, Volume):
        labels, probability = labels.data, probability.data
    return (labels, probability) if probabilities else labels


def check_share(name: str, value: float) -> float:
    """Return a share; raise InputError if it is not within 0 and 1."""
    if not 0 <= value <= 1:
        raise InputError(f"Expected a {name} from 0 to 1, got {value}.")
    return float(value)


def _finished(
    labels: np.ndarray,
    probability: np.ndarray,
    seen: NetworkInput,
    volume: Volume,
    minimum_size: float,
    card: Card,
) -> tuple[np.ndarray, dict[int, float]]:
    """Give the objects of each time point numbers, drop small ones, and score the others."""
    times = range(len(labels)) if "t" in seen.planes.axes else [slice(None)]
    smallest = minimum_size / float(np.prod(volume.spacing))
    classes = card.classes[:-1] if card.border else card.classes
    for time in times:
        part = labels[time]
        if card.border:
            part = _numbered_on(part, seen)
        elif len(classes) == 1:
            part = connected_objects(part > 0)
        else:
            continue
        labels[time] = drop_small(part, smallest)
    return labels, mean_inside(labels, probability)


def _numbered_on(labels: np.ndarray, seen: NetworkInput) -> np.ndarray:
    """Let the numbers of each slice go on from the slice before."""
    if labels.ndim == 2:
        return labels
    axis = "zyx".index(seen.axis)
    moved = np.moveaxis(labels, axis, 0).copy()
    last = 0
    for plane in moved:
        highest = int(plane.max())
        plane[plane > 0] += last
        last += highest
    return np.moveaxis(moved, 0, axis)
