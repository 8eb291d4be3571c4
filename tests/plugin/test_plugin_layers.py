from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_dran.errors import InputError
from napari_dran.plugin.layers import (
    METADATA_KEY,
    layer_data_to_volume,
    layer_look,
    layer_to_volume,
    place_of_part,
    volume_to_layer,
)
from napari_dran.volume import Volume


def oblique(angle: float = 0.2) -> np.ndarray:
    turn = np.array(
        [
            [np.cos(angle), -np.sin(angle), 0.0],
            [np.sin(angle), np.cos(angle), 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([3.0, 0.5, 0.7])
    affine[:3, 3] = [-20.0, 31.5, 7.25]
    return affine


def volume(shape: tuple[int, ...] = (4, 10, 12), **changes: object) -> Volume:
    data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return Volume(data, affine=oblique(), unit="mm", name="scan", **changes)  # type: ignore[arg-type]


def as_layer(volume: Volume) -> Image:
    data, arguments, kind = volume_to_layer(volume)
    assert kind == "image"
    return Image(data, **arguments)


def test_layer_shows_spacing_units_and_axes() -> None:
    layer = as_layer(volume())
    np.testing.assert_allclose(layer.scale, [3.0, 0.5, 0.7])
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert layer.axis_labels == ("z", "y", "x")
    assert layer.name == "scan"
    np.testing.assert_allclose(layer.rotate, np.eye(3))


@pytest.mark.parametrize("axes", ["zyx", "yx", "tzyx", "cyx", "tyx", "yxs", "zyxs"])
def test_round_trip_is_exact(axes: str) -> None:
    shape = tuple({"t": 3, "c": 2, "z": 4, "y": 10, "x": 12, "s": 3}[a] for a in axes)
    data = np.zeros(shape, dtype=np.uint8)
    before = Volume(
        data, axes, oblique(), "mm", 2.5 if "t" in axes else None, history=({"operation": "x"},)
    )
    after = layer_to_volume(as_layer(before))
    assert (after.axes, after.unit, after.time_step) == (axes, "mm", before.time_step)
    assert after.history == before.history
    assert after.data is data
    np.testing.assert_array_equal(after.affine, before.affine)


def test_moved_layer_gives_moved_volume() -> None:
    before = volume()
    layer = as_layer(before)
    layer.translate = np.add(layer.translate, [0.0, 5.0, 0.0])
    after = layer_to_volume(layer)
    # napari's y axis is the volume's own, which is turned against the patient's.
    step = before.affine[:3, 1] / 0.5 * 5.0
    np.testing.assert_allclose(after.affine[:3, 3], before.affine[:3, 3] + step)
    np.testing.assert_allclose(after.affine[:3, :3], before.affine[:3, :3])


def test_cropped_layer_keeps_its_voxels_in_place() -> None:
    before = volume()
    data, arguments, _ = as_layer(before).as_layer_data_tuple()
    start = np.array([1, 2, 3])
    arguments["translate"] = np.asarray(arguments["translate"]) + start * arguments["scale"]
    after = layer_data_to_volume(data[1:, 2:, 3:], arguments)
    np.testing.assert_allclose(after.affine @ [0, 0, 0, 1], before.affine @ [*start, 1], atol=1e-9)


def test_flipped_and_permuted_affine_can_be_drawn() -> None:
    affine = np.eye(4)
    affine[:3, :3] = [[0, 0, -2], [0, 3, 0], [4, 0, 0]]
    before = Volume(np.zeros((4, 10, 12)), "zyx", affine, "mm")
    layer = as_layer(before)
    np.testing.assert_allclose(layer.scale, [4, 3, 2])
    np.testing.assert_array_equal(layer_to_volume(layer).affine, affine)


def test_singular_affine_does_not_crash() -> None:
    affine = np.diag([0.0, 1.0, 1.0, 1.0])
    layer = as_layer(Volume(np.zeros((4, 10, 12)), "zyx", affine, "mm"))
    assert layer.ndim == 3


def test_foreign_layer_with_rotation_and_micrometres() -> None:
    layer = Image(
        np.zeros((5, 9, 8)),
        scale=(2, 1, 1),
        translate=(1, 2, 3),
        rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        units=("nm", "um", "um"),
    )
    found = layer_to_volume(layer)
    assert (found.axes, found.unit) == ("zyx", "um")
    expected = np.eye(4)
    expected[:3, :3] = np.diag([2e-3, 1, 1]) @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    expected[:3, 3] = [1e-3, 2, 3]
    np.testing.assert_allclose(found.affine, expected, atol=1e-12)


def test_foreign_layer_with_affine() -> None:
    affine = np.eye(4)
    affine[:3, 3] = [1, 2, 3]
    layer = Image(np.zeros((5, 9, 8)), affine=affine, translate=(10, 0, 0))
    found = layer_to_volume(layer)
    np.testing.assert_allclose(found.affine[:3, 3], [11, 2, 3])
    assert found.unit == "pixel"


def test_axis_labels_are_believed() -> None:
    layer = Image(np.zeros((5, 9, 8)), axis_labels=("t", "y", "x"), units=("ms", "um", "um"),
                  scale=(40, 1, 1))  # fmt: skip
    found = layer_to_volume(layer)
    assert (found.axes, found.time_step) == ("tyx", pytest.approx(0.04))


def test_result_of_a_foreign_rotated_layer_is_not_turned_twice() -> None:
    layer = Image(np.zeros((5, 9, 8)), rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    first = layer_to_volume(layer)
    look = layer_look(layer)
    look["metadata"] = {**look["metadata"], METADATA_KEY: {"history": ({"operation": "denoise"},)}}
    second = layer_to_volume(Image(np.zeros((5, 9, 8)), **look))
    np.testing.assert_allclose(first.affine, second.affine)
    assert second.history


def test_multiscale_gives_the_finest_level() -> None:
    layer = Image([np.zeros((64, 64)), np.zeros((32, 32))], multiscale=True)
    assert layer_to_volume(layer).shape == (64, 64)


def test_dask_stays_lazy() -> None:
    array = pytest.importorskip("dask.array")
    data = array.zeros((4, 10, 12), chunks=(1, 10, 12))
    assert layer_to_volume(Image(data, contrast_limits=(0, 1))).data is data


def test_five_axes_are_refused_kindly() -> None:
    with pytest.raises(InputError, match="Select one channel"):
        layer_to_volume(Image(np.zeros((2, 2, 2, 8, 8))))


def test_metadata_keeps_no_voxels() -> None:
    _, arguments, _ = volume_to_layer(volume((40, 50, 60)))
    assert arguments["metadata"][METADATA_KEY]["volume"].data.size == 1


def test_labels_keep_their_place_when_written() -> None:
    labels = Labels(np.zeros((4, 10, 12), dtype=np.int32), scale=(2, 1, 1))
    assert layer_to_volume(labels).spacing == (2, 1, 1)  # type: ignore[arg-type]


def test_part_lies_where_its_voxels_were() -> None:
    layer = Image(
        np.zeros((5, 9, 8)), scale=(3, 2, 1), translate=(1, 2, 3), shear=(0.1, 0, 0.2),
        rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]], affine=np.diag([1, 2, 1, 1]),
    )  # fmt: skip
    look = layer_look(layer)
    look["translate"] = place_of_part(layer, [2, 3, 4])
    part = Image(np.zeros((1, 6, 4)), **look)
    np.testing.assert_allclose(part.data_to_world((0, 0, 0)), layer.data_to_world((2, 3, 4)))


def test_contrast_limits_pass_over_outliers() -> None:
    data = np.random.default_rng(0).normal(100, 10, (8, 64, 64))
    data[0, 0, 0] = 1e6
    _, arguments, _ = volume_to_layer(Volume(data))
    low, high = arguments["contrast_limits"]
    assert 50 < low < high < 150


@pytest.mark.corpus
def test_scan_goes_through_a_layer_unharmed(corpus: Path) -> None:
    from napari_dran.files import read_volume

    before = read_volume(corpus / "volumes" / "stroke_T1.nii.gz")
    after = layer_to_volume(as_layer(before))
    assert after.source is before.source
    np.testing.assert_array_equal(after.affine, before.affine)
