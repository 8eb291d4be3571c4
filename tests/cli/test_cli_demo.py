"""``napari-dran demo`` and the picture it draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_dran.cli import picture


@pytest.fixture
def few_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo denoise three slices only."""
    from napari_dran.cli import demo

    monkeypatch.setitem(demo.__globals__, "SLICES", 3)
    monkeypatch.setitem(demo.__globals__, "SHOWN_SLICE", 1)


@pytest.mark.usefixtures("few_slices")
def test_writes_and_says_where(command: Any, grey: Path, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    for _ in range(2):  # a second run replaces the first
        result = command("demo", "--output", out, "--weights", grey, "--device", "cpu")
        assert result.exit_code == 0, result.output
    for word in ("PSNR", "SSIM", "estimated sigma", "->", str(out)):
        assert word in result.stdout
    before, after = nib.load(out / "t1-before.nii.gz"), nib.load(out / "t1-after.nii.gz")
    np.testing.assert_array_equal(before.affine, after.affine)
    assert before.shape == after.shape == (124, 160, 3)
    for name in ("t1-residual", "t1-reference", "flair-before", "flair-after", "flair-residual"):
        assert (out / f"{name}.nii.gz").is_file()
    with Image.open(out / "before-after.png") as image:
        assert image.width > 1000


def test_output_in_a_folder_that_is_missing(refused: Any, tmp_path: Path) -> None:
    assert "does not exist" in refused("demo", "--output", tmp_path / "none" / "demo")


def test_slices_keep_their_place() -> None:
    from napari_dran.cli.demo import FIRST_SLICE, middle
    from napari_dran.samples import load_sample

    whole = load_sample("t1")
    part = middle(whole)
    np.testing.assert_array_equal(part.data[3], whole.data[FIRST_SLICE + 3])
    np.testing.assert_allclose(
        part.affine @ [3, 5, 7, 1], whole.affine @ [FIRST_SLICE + 3, 5, 7, 1]
    )


def test_panels_share_the_window_and_the_residual_is_centred() -> None:
    before = np.full((20, 10), 100.0)
    after = before.copy()
    after[5:] = 90.0
    first, second, residual = picture.compare(before, after, (0.0, 200.0))
    assert (first.low, first.high) == (second.low, second.high) == (0.0, 200.0)
    assert residual.low == -residual.high
    grey = np.asarray(picture._scale(residual))
    assert grey[0, 0, 0] == 128  # nothing taken away
    assert grey[-1, 0, 0] == 255


def test_identical_images_can_be_compared() -> None:
    image = np.zeros((8, 8), np.uint8)
    assert picture.draw([("same", picture.compare(image, image, (0.0, 1.0)))]).height > 0
