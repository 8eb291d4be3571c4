"""PSNR and SSIM against their definitions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_dran.errors import InputError
from napari_dran.metrics import psnr, ssim
from napari_dran.noise import add_gaussian


def test_psnr_by_hand() -> None:
    zeros = np.zeros((4, 4))
    assert psnr(zeros, zeros + 0.1) == pytest.approx(20)
    assert psnr(zeros, zeros + 10, data_range=1000) == pytest.approx(40)
    assert psnr(zeros, zeros) == math.inf


def test_psnr_of_unsigned_integers_does_not_wrap() -> None:
    low, high = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert psnr(low, high, data_range=255) == pytest.approx(0)


@pytest.mark.corpus
def test_ssim_is_that_of_the_paper(corpus: Path) -> None:
    path = sorted((corpus / "test" / "mri").glob("*.png"))[0]
    x = np.asarray(Image.open(path).convert("L")) / 255.0
    y = add_gaussian(x, 25, seed=0).astype(np.float64)

    def mean(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, truncate=3.5)

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(x, y) == pytest.approx(index[5:-5, 5:-5].mean(), abs=1e-6)


def test_ssim_of_colour_is_the_mean_over_channels() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 32, 32, 3))
    expected = np.mean([ssim(x[..., c], y[..., c]) for c in range(3)])
    assert ssim(x, y, colour=True) == pytest.approx(expected)
    assert ssim(x, x, colour=True) == pytest.approx(1)


def test_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(InputError, match="one shape"):
        ssim(np.zeros((14, 14)), np.zeros((14, 15)))
    with pytest.raises(InputError, match="at least 11 pixels"):
        ssim(np.zeros((14, 10)), np.zeros((14, 10)))
