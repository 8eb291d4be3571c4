"""Detection: where the objects are, one by one, and how sure that is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..denoising.denoiser import as_volume
from ..errors import InputError
from ..intensity import Window
from ..slices import Index
from ..volume import Volume
from ..weights import Card, read_card, require_task
from .denoising_first import Denoise, denoise_first, denoise_options, passes, share
from .inputs import AUTO, network_input
from .layers import layer_volume
from .runner import Runner
from .segmentation import check_share

if TYPE_CHECKING:
    from torch import Tensor

BRAIN_TUMOUR = "maskrcnn-brain-tumour"
SCORE_THRESHOLD = 0.5
MASK_THRESHOLD = 0.5
"""Least probability of a pixel in an object's mask (He et al. 2017)."""


@dataclass(frozen=True, eq=False)
class Detection:
    """One object in one slice.

    Parameters
    ----------
    time : int or None
        Time point, if the image has several.
    position : int
        Number of the slice along the axis; 0 for a single slice.
    box : tuple of float
        (y0, x0, y1, x1) in pixels of the slice, from edge to edge: the first pixel
        spans 0 to 1. "y" is the first of the axes that the slice has, "x" the second.
    score : float
        From 0 to 1.
    name : str
        What it is.
    corner : tuple of int
        Row and column of the mask's first pixel.
    mask : ndarray
        bool (rows, columns): the object, cut out of the slice.
    """

    time: int | None
    position: int
    box: tuple[float, float, float, float]
    score: float
    name: str
    corner: tuple[int, int]
    mask: np.ndarray

    @property
    def where(self) -> tuple[slice, slice]:
        """Selects the mask's place in the slice."""
        (row, column), (rows, columns) = self.corner, self.mask.shape
        return slice(row, row + rows), slice(column, column + columns)


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detection found.

    Parameters
    ----------
    items : tuple of Detection
        Slice by slice, the surest first.
    image : Volume
        What was looked at: the image, or the denoised one.
    axes : str
        Axes of the image without channels: "[t][z]yx".
    axis : str
        The axis that slices were cut across.
    card : Card
        Of the weights.
    denoised : bool
        Whether it was denoised first.
    notes : tuple of str
        Sentences to read before trusting the result.
    """

    items: tuple[Detection, ...]
    image: Volume
    axes: str
    axis: str
    card: Card
    denoised: bool = False
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image without channels."""
        lengths = zip(self.image.axes, self.image.shape, strict=True)
        return tuple(length for letter, length in lengths if letter in self.axes)

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Rows and columns of the slices."""
        kept = [n for a, n in zip(self.axes, self.shape, strict=True) if a not in ("t", self.axis)]
        return kept[0], kept[1]

    def index(self, item: Detection) -> Index:
        """Select the slice that an object is in, of an array with ``axes``."""
        places = {"t": item.time or 0, self.axis: item.position}
        return tuple(places.get(letter, slice(None)) for letter in self.axes)

    @cached_property
    def labels(self) -> Volume:
        """int32 labels: the objects numbered from 1 in their order; the surer one on top."""
        labels = np.zeros(self.shape, dtype=np.int32)
        by_score = sorted(enumerate(self.items, start=1), key=lambda pair: pair[1].score)
        for number, item in by_score:
            labels[self.index(item)][item.where][item.mask] = number
        history = {
            "operation": "detect",
            "weights": self.card.name,
            "sha256": self.card.sha256,
        }
        found = self.image.with_data(labels, axes=self.axes)
        return replace(found, history=(*self.image.history, history))

    @property
    def scores(self) -> dict[int, float]:
        """Label -> score."""
        return {number: item.score for number, item in enumerate(self.items, start=1)}

    def rectangles(self) -> list[np.ndarray]:
        """Return each box as its four corners, for a Shapes layer.

        Returns
        -------
        list of ndarray
            float64 (4, axes): data coordinates, in which whole numbers are the centres
            of pixels.
        """
        rectangles = []
        for item in self.items:
            y0, x0, y1, x1 = (edge - 0.5 for edge in item.box)
            corners = np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)])
            points = np.zeros((4, len(self.axes)))
            columns = iter(corners.T)
            for number, letter in enumerate(self.axes):
                if letter == "t":
                    points[:, number] = item.time or 0
                elif letter == self.axis:
                    points[:, number] = item.position
                else:
                    points[:, number] = next(columns)
            rectangles.append(points)
        return rectangles


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
            Objects of a smaller area are dropped; in the square of the image's unit.

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
        if not minimum_size >= 0:
            raise InputError(f"Expected a minimum size of 0 or more, got {minimum_size}.")
        volume, options = as_volume(image, axes), denoise_options(denoise)
        seen = network_input(volume, self.card, window, axis, contrast_limits)
        count, before = len(seen.indices), 0
        if options is not None:
            before = count * passes(volume, self.card)
            tell = share(progress, 0, before + count)
            volume = denoise_first(volume, self.card, options, self._runner.device_name, tell)
            clean = network_input(volume, self.card, window, axis, contrast_limits)
            seen = replace(seen, planes=clean.planes)
        tell = share(progress, before, before + count)
        axes_of_slices = seen.planes.axes
        smallest = minimum_size / _pixel_area(volume, axes_of_slices, seen.axis)
        items: list[Detection] = []
        for number, index in enumerate(seen.indices, start=1):
            places = dict(zip(axes_of_slices, index, strict=True))
            found = self._runner.run(seen.pixels(index), self._objects)
            for box, score, label, corner, mask in found:
                if score >= least and mask.sum() >= max(1.0, smallest):
                    name = self.card.classes[label - 1]
                    time, position = places.get("t"), places.get(seen.axis, 0)
                    time = time if isinstance(time, int) else None
                    position = position if isinstance(position, int) else 0
                    items.append(Detection(time, position, box, score, name, corner, mask))
            tell(number, count)
        notes = seen.planes.notes
        if not items:
            what = ", ".join(self.card.classes)
            notes = (*notes, f"Nothing was found: no {what} with a score above {least:g}.")
        return Detections(
            items=tuple(items),
            image=volume,
            axes=axes_of_slices,
            axis=seen.axis,
            card=self.card,
            denoised=options is not None,
            notes=notes,
        )

    def release(self) -> None:
        """Give back all device memory."""
        self._runner.release()

    def _objects(
        self, network: Any, pixels: Tensor
    ) -> list[tuple[tuple[float, float, float, float], float, int, tuple[int, int], np.ndarray]]:
        """Return box, score, label, corner and mask of each object, the surest first."""
        from torch.nn import functional as F

        height, width = pixels.shape[-2:]
        factor = self.card.side / max(height, width) if self.card.side else 1.0
        if factor != 1.0:
            sides = [max(1, round(side * factor)) for side in (height, width)]
            pixels = F.interpolate(
                pixels, sides, mode="bilinear", align_corners=False, antialias=factor < 1
            )
        found = network([pixels[0]])[0]
        masks = found["masks"].float()
        if factor != 1.0 and len(masks):
            masks = F.interpolate(masks, (height, width), mode="bilinear", align_corners=False)
        scale = np.array([width, height] * 2) / np.array([*pixels.shape[:1:-1]] * 2)
        boxes = found["boxes"].float().cpu().numpy() * scale
        objects = []
        for number, (x0, y0, x1, y1) in enumerate(boxes):
            mask = (masks[number, 0] >= MASK_THRESHOLD).cpu().numpy()
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            if not rows.size:
                continue
            corner = int(rows[0]), int(columns[0])
            cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
            box = float(y0), float(x0), float(y1), float(x1)
            score, label = float(found["scores"][number]), int(found["labels"][number])
            objects.append((box, score, label, corner, cut))
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


def _pixel_area(volume: Volume, axes: str, axis: str) -> float:
    """Return the area of a slice's pixel in the square of the volume's unit."""
    spacing = dict(zip(volume.spatial_axes, volume.spacing, strict=True))
    return float(np.prod([spacing[letter] for letter in axes if letter not in ("t", axis)]))
