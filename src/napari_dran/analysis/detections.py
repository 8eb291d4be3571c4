"""What a detection found: objects, as labels and as boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..slices import Index
from ..volume import Volume
from ..weights import Card


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
        Axes of the image without channels: ``[t][z]yx``.
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
        return self.image.with_data(labels, axes=self.axes, history=(*self.image.history, history))

    @property
    def names(self) -> dict[int, str]:
        """Label -> what it is."""
        return {number: item.name for number, item in enumerate(self.items, start=1)}

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
