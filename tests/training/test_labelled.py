"""Labelled images: manifests and folders, masks and labels, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.measure import label as connected

from napari_dran.errors import InputError
from napari_dran.files import read_volume
from napari_dran.training.labelled import as_bytes, brought_to, read_labelled
from napari_dran.volume import Volume

Save = Callable[[str, np.ndarray], None]

SQUARES = np.zeros((20, 30), np.uint8)
SQUARES[2:6, 3:9] = 7
SQUARES[2:6, 9:12] = 40  # touches the first
SQUARES[10:18, 20:29] = 255


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save pixels below the test's folder."""

    def write(name: str, pixels: np.ndarray) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)

    return write


@pytest.fixture
def grey() -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, SQUARES.shape)
    return pixels.astype(np.uint8)


def test_manifest_with_masks(corpus: Path) -> None:
    images = read_labelled(corpus / "lgg" / "val", pytest.fail)
    assert len(images) == 30
    first = images[0]
    assert (first.name, first.group) == (
        "TCGA_DU_7013_19860523_18.png", "TCGA_DU_7013_19860523",
    )  # fmt: skip
    assert (first.pixels.dtype, first.pixels.shape) == (np.uint8, (256, 256, 3))
    with Image.open(corpus / "lgg" / "val" / "images" / first.name) as picture:
        np.testing.assert_array_equal(first.pixels, picture)
    # The manifest's own count and box of the tumour.
    assert (first.labels > 0).sum() == 1631
    rows, columns = np.nonzero(first.labels)
    assert [columns.min(), rows.min(), columns.max(), rows.max()] == [145, 77, 206, 140]
    assert len({image.group for image in images}) < len(images)


def test_manifest_with_labels(corpus: Path) -> None:
    folder = corpus / "dsb2018" / "val"
    images = read_labelled(folder, pytest.fail)
    assert len(images) == 29
    first = images[0]
    found = np.asarray(read_volume(folder / "labels" / first.name).data)
    assert first.labels.dtype == np.int32
    assert first.labels.max() == len(np.unique(found)) - 1 == 126
    # Labels tell apart what touches.
    assert first.labels.max() > connected(found > 0).max()
    assert first.group == "DSB-flu-696x520-k3"


def test_folders_of_masks_and_of_labels(tmp_path: Path, save: Save, grey: np.ndarray) -> None:
    for name in ("b", "a"):
        save(f"images/{name}.png", grey)
        save(f"masks/{name}.png", SQUARES)
    images = read_labelled(tmp_path, pytest.fail)
    assert [image.name for image in images] == ["a.png", "b.png"]
    assert [image.group for image in images] == ["a.png", "b.png"]
    np.testing.assert_array_equal(images[0].pixels, np.repeat(grey[..., None], 3, -1))
    np.testing.assert_array_equal(images[0].labels, connected(SQUARES > 0))
    for name in ("a", "b"):
        save(f"labels/{name}.png", SQUARES)
    labels = read_labelled(tmp_path)[0].labels
    assert labels.max() == 3
    np.testing.assert_array_equal(labels == 2, SQUARES == 40)


def test_manifest_of_a_spreadsheet(tmp_path: Path, save: Save, grey: np.ndarray) -> None:
    save("x.png", grey)
    save("y.png", SQUARES)
    (tmp_path / "manifest.csv").write_text("\ufeffimage,labels\nx.png,y.png\n,\nx.png\n")
    (image,) = read_labelled(tmp_path, pytest.fail)
    assert (image.name, image.group, image.labels.max()) == ("x.png", "x.png", 3)


def test_colours_are_numbers(tmp_path: Path, save: Save, grey: np.ndarray) -> None:
    colours = np.zeros((*SQUARES.shape, 3), np.uint8)
    colours[SQUARES == 7] = [0, 200, 0]
    colours[SQUARES == 40] = [0, 200, 1]
    colours[SQUARES == 255] = [9, 0, 0]
    save("images/a.png", grey)
    save("labels/a.png", colours)
    (image,) = read_labelled(tmp_path, pytest.fail)
    for number, value in enumerate((7, 40, 255), 1):
        np.testing.assert_array_equal(image.labels == number, value == SQUARES)
    (tmp_path / "labels").rename(tmp_path / "masks")
    (image,) = read_labelled(tmp_path, pytest.fail)
    np.testing.assert_array_equal(image.labels > 0, SQUARES > 0)


def test_16_bit_images_are_scaled_to_their_own_range(
    tmp_path: Path, save: Save, grey: np.ndarray
) -> None:
    save("images/a.png", grey.astype(np.uint16) * 100 + 3000)
    save("labels/a.png", SQUARES.astype(np.uint16) * 200)
    (image,) = read_labelled(tmp_path, pytest.fail)
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)
    inside = (grey > 3) & (grey < 252)
    np.testing.assert_allclose(image.pixels[..., 0][inside], grey[inside], atol=3)
    assert image.labels.max() == 3


def test_what_cannot_be_used_is_told_once_and_left_out(
    tmp_path: Path, save: Save, grey: np.ndarray
) -> None:
    for name in ("bad", "good", "other", "unlabelled"):
        save(f"images/{name}.png", grey)
        save(f"masks/{name}.png", SQUARES)
    (tmp_path / "images" / "bad.png").write_bytes(b"rubbish")
    (tmp_path / "images" / "notes.txt").write_text("no image")
    (tmp_path / "masks" / "unlabelled.png").unlink()
    save("masks/other.png", SQUARES[:, :-1])
    notices: list[str] = []
    assert [image.name for image in read_labelled(tmp_path, notices.append)] == ["good.png"]
    assert [notice.split(":")[0] for notice in notices] == [
        "Skipped bad.png", "Skipped other.png", "Skipped unlabelled.png",
    ]  # fmt: skip
    assert "(20, 29), the image (20, 30)" in notices[1]
    assert "There is no file" in notices[2]


def test_labels_that_are_no_numbers(tmp_path: Path, save: Save, grey: np.ndarray) -> None:
    save("images/a.tif", grey)
    save("labels/a.tif", SQUARES.astype(np.float32) / 2)
    notices: list[str] = []
    with pytest.raises(InputError, match="none of its 1 pairs"):
        read_labelled(tmp_path, notices.append)
    assert "whole numbers of 0 or more, got values of 0 to 127.5" in notices[0]


def test_folders_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        read_labelled(tmp_path / "none")
    with pytest.raises(InputError, match=r"no labelled images.*columns 'image' and 'mask'"):
        read_labelled(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,group\na.png,1\n")
    with pytest.raises(InputError, match="no labelled images"):
        read_labelled(tmp_path)


def test_volumes_are_no_single_slices() -> None:
    with pytest.raises(InputError, match="single slice"):
        as_bytes(Volume(np.zeros((3, 8, 8), np.uint8), "zyx"))
    constant = Volume(np.full((1, 8, 8), 900, np.int16), "zyx")
    assert as_bytes(constant).shape == (8, 8, 3)
    assert not as_bytes(constant).any()


def test_brought_to_the_side_of_the_network(corpus: Path) -> None:
    image = read_labelled(corpus / "dsb2018" / "val")[0]
    assert image.labels.shape == (520, 696)
    assert brought_to(image, 0) is image
    assert brought_to(image, 696) is image
    small = brought_to(image, 348)
    assert (small.pixels.shape, small.pixels.dtype) == ((260, 348, 3), np.uint8)
    assert small.labels.dtype == np.int32
    assert set(np.unique(small.labels)) <= set(np.unique(image.labels))
    share = (image.labels > 0).mean()
    assert (small.labels > 0).mean() == pytest.approx(share, rel=0.02)
    # Nothing has moved: nuclei are still where it is bright.
    blocks = image.pixels[..., 0].reshape(260, 2, 348, 2).mean((1, 3))
    assert np.corrcoef(blocks.ravel(), small.pixels[..., 0].ravel())[0, 1] > 0.99
