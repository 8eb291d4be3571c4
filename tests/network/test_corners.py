"""The corners of a slice, where a network keeps notes for itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dran import denoise
from napari_dran.network.corners import BESIDE, CORNER, LARGEST, QuietCorners, limit_corners
from napari_dran.samples import load_sample


def noise_of(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("corner", [(0, 1), (2, -1), (-3, 0), (-1, -2)])
def test_a_large_value_in_a_corner_is_limited_by_its_own_image_and_channel(
    corner: tuple[int, int],
) -> None:
    noise = 0.01 * noise_of(64, 80)
    spiked = noise.clone()
    spiked[1, 2, corner[0], corner[1]] = -3
    limited = limit_corners(spiked)
    rows = slice(0, BESIDE) if corner[0] >= 0 else slice(-BESIDE, None)
    columns = slice(0, BESIDE) if corner[1] >= 0 else slice(-BESIDE, None)
    beside = noise[1, 2, rows, columns].abs()
    assert -1.1 * LARGEST * beside.mean() < limited[1, 2, corner[0], corner[1]] < 0
    limited[1, 2, corner[0], corner[1]] = noise[1, 2, corner[0], corner[1]]
    assert torch.equal(limited, limit_corners(noise))


def test_outside_the_corners_nothing_changes() -> None:
    noise = noise_of(40, 50)
    noise[..., CORNER, 0] = 100
    changed = (limit_corners(noise) != noise).nonzero()[:, 2:]
    near = [(min(y, 39 - y) < CORNER, min(x, 49 - x) < CORNER) for y, x in changed.tolist()]
    assert all(both == (True, True) for both in near)


def test_noise_in_the_corners_stays() -> None:
    noise = noise_of(256, 256)
    limited = limit_corners(noise)
    # 2 images, 3 channels, 4 corners of 36 pixels: 864 values, of which 1.2 are beyond.
    assert (limited != noise).sum() <= 4


def test_no_noise_is_none() -> None:
    assert not limit_corners(torch.zeros(1, 1, 8, 8)).any()


@pytest.mark.parametrize("shape", [(8, 8), (8, 300), (17, 21)])
def test_small_slices_have_corners_too(shape: tuple[int, int]) -> None:
    noise = 0.01 * noise_of(*shape)
    noise[..., 1, 1] = 5
    assert QuietCorners()(noise)[..., 1, 1].max() < 0.05


@pytest.mark.parametrize("weights", ["dran-grey", "dran-grey-real"])
@pytest.mark.parametrize("side", [16, 24, 48, 64])
def test_small_slices_of_a_scan_keep_their_corners(weights: str, side: int) -> None:
    # Without the limit: up to 2.8 times the range of such a slice.
    volume = load_sample("t1").data
    middle = volume[len(volume) // 2].astype(np.float32)
    top, left = 60, 50
    image = np.ascontiguousarray(middle[top : top + side, left : left + side])
    window = float(image.min()), float(image.max())
    changed = np.abs(denoise(image, weights=weights, window=window) - image)
    assert changed[:CORNER, :CORNER].max() < 0.15 * (window[1] - window[0])
