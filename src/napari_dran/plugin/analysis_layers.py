"""Results of segmentation and detection as layers that lie where their image lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.layers import placement
from ..volume import Volume
from .layers import METADATA_KEY, layer_look, place_of_part
from .planes import in_place, start_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Shapes

    from ..analysis import Detections
    from ..slices import Index

OPACITY = 0.5
OBJECT_COLOURS = ("#2ee6a6", "#ff5fa2", "#8f7dff", "#ffe14d", "#4fc3ff", "#ff8c42", "#b5e853",
                  "#e28cff", "#ff6b6b", "#37d5d6")  # fmt: skip
"""Of objects, in turn: bright on grey and on the colours of MR sequences."""
BOX_COLOUR = "#ffd23f"
CHOSEN_COLOUR = "#ffffff"
BOX_WIDTH = 1 / 250
"""Of the boxes' lines, in lengths of the slice's longer side."""
TEXT_SIZE = 10

BOTH_COLOUR, NOISY_COLOUR, DENOISED_COLOUR = "#9aa5b1", "#ff6b35", "#2fb4ff"
"""Three colours that most of the colour-blind can tell apart, on grey images too."""

LEGEND = (
    ("both", BOTH_COLOUR),
    ("only noisy", NOISY_COLOUR),
    ("only denoised", DENOISED_COLOUR),
)
"""What the values 1, 2 and 3 of a difference are."""


PLACED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "metadata")
"""Arguments of a layer that a :class:`Place` decides."""


class Place:
    """Where an image layer lay when a run began, and which part of it is looked at.

    Parameters
    ----------
    layer : napari.layers.Image
        The image. It may be deleted meanwhile.
    volume : Volume
        Its image.
    index : Index, optional
        Selects the plane that is looked at; the whole by default.
    """

    def __init__(self, layer: Image, volume: Volume, index: Index | None = None) -> None:
        self.source = layer
        self.name = str(layer.name)
        self.ndim = len(volume.axes.removeprefix("c").removesuffix("s"))
        self.index = None if index is None else index[-self.ndim :]
        look = layer.as_layer_data_tuple()[1]
        self._placed = placement(layer, look, self.ndim)
        if index is not None:
            self._placed["translate"] = self._start(layer, index)
        self._metadata = dict(layer.metadata)
        self.look = layer_look(layer)

    def arguments(self, word: str, history: Any = None) -> dict[str, Any]:
        """Return the arguments of a layer in this place.

        Parameters
        ----------
        word : str
            What it is called after the image.
        history : tuple of mapping, optional
            What was done, for the metadata.
        """
        metadata = dict(self._metadata)
        if history is not None:
            kept = metadata.get(METADATA_KEY, {})
            metadata[METADATA_KEY] = {**kept, "history": tuple(history)}
        return {**self._placed, "name": f"{self.name} ({word})", "metadata": metadata}

    def _start(self, layer: Image, index: Index) -> tuple[float, ...]:
        """Give the ``translate`` of a layer that begins at the plane."""
        start = start_of(index)
        if layer.ndim == self.ndim:
            return place_of_part(layer, start)
        # The place of the image's last axes is in one matrix, before which only scale is left.
        return tuple(np.multiply(self._placed["scale"], start[-self.ndim :]).tolist())

    def data(self, part: np.ndarray) -> np.ndarray:
        """Give the labels of what was looked at the axes of the image."""
        return part if self.index is None else in_place(part, self.index)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Give points (n, axes of what was looked at) the axes of the image."""
        if self.index is None:
            return points
        columns = [n for n, part in enumerate(self.index) if isinstance(part, slice)]
        full = np.zeros((len(points), self.ndim))
        full[:, columns] = points
        return full


def add_labels(viewer: Any, place: Place, labels: Volume, word: str) -> Labels:
    """Add label numbers as a layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer.
    place : Place
        Where.
    labels : Volume
        int32, of what was looked at.
    word : str
        What it is called after the image.
    """
    from napari.utils.colormaps import CyclicLabelColormap
    from napari.utils.colormaps.standardize_color import transform_color

    colours = transform_color(["transparent", *OBJECT_COLOURS])
    layer: Labels = viewer.add_labels(
        place.data(labels.data),
        colormap=CyclicLabelColormap(colors=colours),
        opacity=OPACITY,
        **place.arguments(word, labels.history),
    )
    return layer


def add_boxes(viewer: Any, place: Place, found: Detections, word: str) -> Shapes:
    """Add the boxes of detections as a layer, each with its name and score.

    Parameters
    ----------
    viewer, place, word
        See :func:`add_labels`.
    found : Detections
        What was found; none gives an empty layer.
    """
    boxes = [place.points(corners) for corners in found.rectangles()]
    width = max(found.slice_shape) * BOX_WIDTH
    look: dict[str, Any] = {
        **place.arguments(f"{word}, boxes"),
        "ndim": place.ndim,
        "edge_color": BOX_COLOUR,
        "face_color": "transparent",
        "edge_width": width,
        "opacity": 1.0,
    }
    if boxes:
        look["features"] = {
            "label": list(found.names),
            "name": list(found.names.values()),
            "score": list(found.scores.values()),
        }
        look["text"] = {
            "string": "{name} {score:.2f}",
            "color": BOX_COLOUR,
            "size": TEXT_SIZE,
            "anchor": "upper_left",
            # The text's lower left corner on the box's upper left one.
            "translation": [*[0.0] * (place.ndim - 2), -width, 0.0],
        }
    layer: Shapes = viewer.add_shapes(boxes or None, shape_type="polygon", **look)
    return layer


def mark_box(boxes: Shapes, label: int) -> None:
    """Select the box of an object, and show it in another colour than the others.

    Parameters
    ----------
    boxes : napari.layers.Shapes
        From :func:`add_boxes`.
    label : int
        The object's number.
    """
    if "label" not in boxes.features:
        return
    chosen = np.flatnonzero(boxes.features["label"] == label).tolist()
    boxes.edge_color = [
        CHOSEN_COLOUR if number in chosen else BOX_COLOUR for number in range(len(boxes.data))
    ]
    boxes.selected_data = set(chosen)


def add_difference(viewer: Any, place: Place, difference: Volume, word: str) -> Labels:
    """Add what only one of two results has, and what both have, as a layer.

    Parameters
    ----------
    viewer, place, word
        See :func:`add_labels`.
    difference : Volume
        Values of ``napari_dran.analysis.agreement``.
    """
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, str] = {0: "transparent", None: "transparent"}
    colours |= {value: colour for value, (_, colour) in enumerate(LEGEND, start=1)}
    layer: Labels = viewer.add_labels(
        place.data(difference.data),
        colormap=DirectLabelColormap(color_dict=colours),
        # Shown with the value under the mouse.
        features={"what": ["neither", *(name for name, _ in LEGEND)]},
        opacity=0.75,
        **place.arguments(word, difference.history),
    )
    return layer


def add_image(viewer: Any, place: Place, image: Volume, word: str) -> Image:
    """Add what was looked at, e.g. the denoised image, with the look of its source.

    Parameters
    ----------
    viewer, place, word
        See :func:`add_labels`.
    image : Volume
        All of its channels.
    """
    data = np.asarray(image.data)
    if image.axes.startswith("c"):
        # One channel is as good as another to see where things are.
        data = data[0]
    placed = place.arguments(word, image.history)
    look = {key: value for key, value in place.look.items() if key not in PLACED}
    layer: Image = viewer.add_image(place.data(data), **look, **placed)
    return layer
