"""Labels of real images, in every format: the same numbers at the same place in the world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from napari_dran import InputError, Volume, read_volume, write_volume

pytestmark = pytest.mark.corpus

SUFFIXES = (".nii.gz", ".nrrd", ".mha")
SOURCES = [
    "CT_AVM.nii.gz",  # scaled to floats
    "stroke_T1.nii.gz",  # oblique, with a display range
    "nibabel_anatomical.nii",  # big-endian
    "nibabel_example4d.nii.gz",  # 4-D, oblique
    "nibabel_functional.nii",  # 4-D, big-endian, scaled
    "ct_perfusion_4d.nii.gz",  # colour
    "FLAIR.nrrd",
    "stroke_T1.mha",
]


def labels_of(image: Volume) -> Volume:
    """Some boxes, and the number 70001 at one voxel off the middle."""
    axes = image.axes.strip("cs")
    shape = tuple(n for letter, n in zip(image.axes, image.shape, strict=True) if letter in axes)
    data = np.zeros(shape, np.int32)
    data[..., 1:5, 2:9] = 3
    data[..., -6:, : shape[-1] // 2] = 12
    data[odd_voxel(shape)] = 70001
    return image.with_data(data, axes=axes)


def odd_voxel(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n // 3 for n in shape)


def world(labels: Volume) -> np.ndarray:
    """x, y, z of the odd voxel in the patient, by the volume."""
    index = odd_voxel(labels.spatial_shape)
    return (labels.affine @ [*(0,) * (3 - len(index)), *index, 1])[2::-1]


def written_world(path: Path) -> np.ndarray:
    """x, y, z of the voxel 70001, by a reader that is not ours."""
    if path.name.endswith(".nii.gz"):
        image = nib.load(path)
        index = np.argwhere(np.asarray(image.dataobj) == 70001)[0]
        index = np.append(index, 0)[:3]
        return np.array([-1, -1, 1]) * (image.affine @ [*index, 1])[:3]
    image = SimpleITK.ReadImage(str(path))
    index = np.argwhere(SimpleITK.GetArrayFromImage(image) == 70001)[0]
    point = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
    return np.array([*point, 0.0])[:3]


def assert_round_trip(labels: Volume, path: Path) -> Volume:
    again = read_volume(write_volume(labels, path))
    assert again.axes == labels.axes
    assert again.dtype == np.int32
    np.testing.assert_array_equal(again.data, labels.data)
    np.testing.assert_allclose(world(again), world(labels), atol=1e-3)
    np.testing.assert_allclose(written_world(path), world(labels), atol=1e-3)
    return again


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", SOURCES)
def test_labels_of_real_images(corpus: Path, tmp_path: Path, name: str, suffix: str) -> None:
    image = read_volume(corpus / "volumes" / name)
    labels = labels_of(image)
    again = assert_round_trip(labels, tmp_path / f"labels{suffix}")
    assert again.time_step == pytest.approx(labels.time_step)
    # What was read is read as labels when it is written and read again.
    assert_round_trip(again, tmp_path / f"again{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["nibabel_example4d.nii.gz", "nibabel_functional.nii"])
def test_labels_of_one_time_point(corpus: Path, tmp_path: Path, name: str, suffix: str) -> None:
    labels = labels_of(read_volume(corpus / "volumes" / name))
    one = labels.with_data(labels.data[labels.shape[0] // 3], axes="zyx", time_step=None)
    assert_round_trip(one, tmp_path / f"labels{suffix}")


@pytest.mark.parametrize("kind", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_of_several_channels(corpus: Path, tmp_path: Path, suffix: str, kind: str) -> None:
    first, *others = (
        read_volume(corpus / "volumes" / f"stroke_{name}.nii.gz") for name in ("T1", "FLAIR", "T2")
    )
    stack = np.stack([first.data, *(np.rint(one.data) for one in others)]).astype(np.int16)
    path = write_volume(first.with_data(stack, axes="czyx"), tmp_path / f"channels{kind}")
    image = read_volume(path)
    assert image.axes == "czyx"
    assert_round_trip(labels_of(image), tmp_path / f"labels{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_of_colour(corpus: Path, tmp_path: Path, suffix: str) -> None:
    colour = read_volume(corpus / "volumes" / "ct_perfusion_4d.nii.gz")
    image = read_volume(write_volume(colour, tmp_path / "colour.nrrd"))
    assert image.axes == "zyxs"
    assert_round_trip(labels_of(image), tmp_path / f"labels{suffix}")


def test_header_of_the_image_says_nothing_false_of_labels(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.nii"
    original = nib.load(corpus / "volumes" / "stroke_T1.nii.gz")
    original.header.set_intent("z score")
    original.to_filename(path)
    image = read_volume(path)
    assert original.header["cal_max"] == 218
    labels = nib.load(write_volume(labels_of(image), tmp_path / "labels.nii")).header
    # With the image's display range, viewers would show black; and labels are no statistic.
    assert (labels["cal_min"], labels["cal_max"]) == (0, 0)
    assert labels.get_intent()[0] == "none"
    same = nib.load(write_volume(image, tmp_path / "same.nii")).header
    assert same["cal_max"] == 218
    assert same.get_intent()[0] == "z score"


@pytest.mark.parametrize("dtype", ["uint16", "int32", "int64"])
def test_labels_of_a_picture(corpus: Path, tmp_path: Path, dtype: str) -> None:
    image = read_volume(sorted((corpus / "lgg" / "test" / "images").iterdir())[0])
    assert image.axes == "yxs"
    data = np.zeros(image.shape[:2], dtype)
    data[40:60, 50:90], data[3, 200] = 1, 65535
    path = write_volume(image.with_data(data, axes="yx"), tmp_path / "labels.png")
    with Image.open(path) as picture:
        assert picture.mode == "I;16"
    again = read_volume(path)
    assert (again.axes, again.dtype) == ("yx", np.uint16)
    np.testing.assert_array_equal(again.data, data)


def test_what_a_picture_has_no_room_for(corpus: Path, tmp_path: Path) -> None:
    image = read_volume(sorted((corpus / "lgg" / "test" / "images").iterdir())[0])
    labels = labels_of(image)
    with pytest.raises(InputError, match=r"65535.*70001.*\.tif"):
        write_volume(labels, tmp_path / "labels.png")
    with pytest.raises(InputError, match="65535"):
        write_volume(replace(labels, data=labels.data.clip(-1, 9) - 1), tmp_path / "labels.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_of_a_picture_in_other_formats(corpus: Path, tmp_path: Path, suffix: str) -> None:
    image = read_volume(sorted((corpus / "lgg" / "test" / "images").iterdir())[0])
    again = assert_round_trip(labels_of(image), tmp_path / f"labels{suffix}")
    assert again.shape == image.shape[:2]
