"""Layers: where they lie, and in what unit."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran import InputError, Volume
from napari_dran.analysis.layers import labels_layer, layer_volume

from .conftest import blobs

layers = pytest.importorskip("napari.layers")

# What napari says of drawing turned layers.
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def corners(layer) -> np.ndarray:
    """Give the world coordinates of some points of the last two or three axes."""
    places = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim), np.full(layer.ndim, 7.0)])
    return np.array([layer.data_to_world(place) for place in places])


@pytest.mark.parametrize(
    ("units", "unit", "factors"),
    [
        (("mm",) * 3, "mm", (1, 1, 1)),
        (("cm",) * 3, "mm", (10, 10, 10)),
        (("millimeter", "centimeter", "m"), "mm", (1, 10, 1000)),
        (("µm",) * 3, "um", (1, 1, 1)),
        (("micrometer", "um", "micron"), "um", (1, 1, 1)),
        (("nm", "um", "um"), "um", (0.001, 1, 1)),
        (("mm", "um", "um"), "um", (1000, 1, 1)),
        (("um", "mm", "mm"), "mm", (0.001, 1, 1)),
        (("pixel",) * 3, "pixel", (1, 1, 1)),
        (("inch",) * 3, "pixel", (1, 1, 1)),
        (("mm", "pixel", "pixel"), "pixel", (1, 1, 1)),
        (None, "pixel", (1, 1, 1)),
    ],
)
def test_units(units, unit, factors) -> None:
    scale = np.array([3.0, 0.5, 0.25])
    layer = layers.Image(blobs(4, 9, 9), scale=scale, units=units)
    volume, _ = layer_volume(layer)
    assert volume.unit == unit
    np.testing.assert_allclose(volume.spacing, scale * factors)


@pytest.mark.parametrize(
    ("shape", "options", "axes", "spacing"),
    [
        ((9, 8), {"scale": (2, 3)}, "yx", (2, 3)),
        ((9, 8, 3), {"scale": (2, 3), "rgb": True}, "yxs", (2, 3)),
        ((5, 9, 8), {"scale": (4, 2, 3), "axis_labels": ("t", "y", "x")}, "tyx", (2, 3)),
        ((3, 9, 8), {"scale": (4, 2, 3), "axis_labels": ("c", "y", "x")}, "cyx", (2, 3)),
        ((2, 5, 9, 8), {"scale": (7, 4, 2, 3)}, "tzyx", (4, 2, 3)),
    ],
)
def test_axes_and_scale(shape, options, axes, spacing) -> None:
    volume, _ = layer_volume(layers.Image(blobs(*shape, high=250, dtype="u1"), **options))
    assert volume.axes == axes
    np.testing.assert_allclose(volume.spacing, spacing)


def test_translated_turned_and_sheared_layers() -> None:
    affine = np.eye(4)
    affine[:3, :3] = [[2, 0, 0], [0, 0, -2], [0, 2, 0]]
    layer = layers.Image(
        blobs(4, 9, 10), scale=(3, 0.5, 0.5), translate=(10, 20, 30), rotate=(20, 0, 0),
        affine=affine, units="mm", contrast_limits=(5, 500), name="scan",
    )  # fmt: skip
    volume, limits = layer_volume(layer)
    assert limits == (5, 500)
    np.testing.assert_allclose(volume.spacing, (6, 1, 1))
    np.testing.assert_allclose(volume.affine[:3, 3], layer.data_to_world((0, 0, 0)), atol=1e-9)
    np.testing.assert_allclose(
        (volume.affine @ [1, 2, 3, 1])[:3], layer.data_to_world((1, 2, 3)), atol=1e-9
    )


def test_other_layers_are_refused() -> None:
    with pytest.raises(InputError, match="got the labels layer"):
        layer_volume(layers.Labels(np.zeros((9, 9), int)))


def test_several_resolutions_and_history() -> None:
    image = blobs(32, 32)
    entry = {"operation": "denoise"}
    layer = layers.Image(
        [image, image[::2, ::2]], multiscale=True, scale=(2, 2),
        metadata={"napari_dran": {"history": (entry,)}},
    )  # fmt: skip
    volume, _ = layer_volume(layer)
    np.testing.assert_array_equal(volume.data, image)
    assert volume.history == (entry,)


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (3, 0.5, 0.25), "translate": (1, 2, 3)},
        {"scale": (3, 0.5, 0.25), "rotate": (10, 20, 30)},
        {"shear": (0.1, 0.2, 0.3), "translate": (1, 2, 3)},
        {"scale": (2, 1, 1), "affine": np.diag([1.0, 2, 3, 1]) + 0.1 * np.eye(4, k=1)},
    ],
    ids=["scale", "rotate", "shear", "affine"],
)
def test_labels_lie_where_the_image_lies(options) -> None:
    layer = layers.Image(
        blobs(4, 9, 10), units="um", axis_labels="zyx", name="scan",
        metadata={"mine": 1, "napari_dran": {"kept": 2}}, **options,
    )  # fmt: skip
    history = ({"operation": "segment"},)
    labels = Volume(np.ones((4, 9, 10), np.int32), history=history)
    made = labels_layer(layer, labels, " (segmented)")
    np.testing.assert_allclose(corners(made), corners(layer), atol=1e-9)
    assert (made.units, made.axis_labels) == (layer.units, layer.axis_labels)
    assert made.name == "scan (segmented)"
    assert made.metadata == {"mine": 1, "napari_dran": {"kept": 2, "history": history}}


@pytest.mark.parametrize("rotate", [0, 30])
def test_labels_of_channels_have_an_axis_less(rotate) -> None:
    layer = layers.Image(
        blobs(3, 4, 9, 10), scale=(1, 3, 0.5, 0.25), translate=(0, 5, 6, 7), units="mm",
        axis_labels="czyx",
    )  # fmt: skip
    if rotate:
        turn = np.eye(5)
        angle = np.deg2rad(rotate)
        turn[2:4, 2:4] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        layer.affine = turn
    made = labels_layer(layer, Volume(np.ones((4, 9, 10), np.int32)), " (segmented)")
    assert made.axis_labels == ("z", "y", "x")
    for place in np.vstack([np.zeros(3), np.eye(3)]):
        expected = layer.data_to_world((0, *place))[1:]
        np.testing.assert_allclose(made.data_to_world(place), expected, atol=1e-9)


def test_labels_of_colours() -> None:
    layer = layers.Image(blobs(9, 10, 3, dtype="u1", high=250), rgb=True, scale=(2, 3))
    made = labels_layer(layer, Volume(np.ones((9, 10), np.int32)), " (segmented)")
    np.testing.assert_allclose(corners(made), corners(layer))
