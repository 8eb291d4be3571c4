"""Denoising at two scales."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_dran.network.corners import QuietCorners
from napari_dran.network.dran import DRAN
from napari_dran.network.fused import FusedDRAN, fuse
from napari_dran.network.scales import MultiScale


class HighPass(nn.Module):
    """Takes what a mean over squares of pixels leaves for noise: long waves stay."""

    def __init__(self, width: int = 15) -> None:
        super().__init__()
        self.width = width

    def forward(self, image: Tensor) -> Tensor:
        padded = F.pad(image, (self.width // 2,) * 4, mode="replicate")
        return image - F.avg_pool2d(padded, self.width, 1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_long_waves_of_noise_go() -> None:
    flat = 0.5 + 0.1 * noise(1, 1, 128, 128)
    left = [(flat - MultiScale(HighPass(), scales)(flat)).std() for scales in (1, 2, 3)]
    assert left[1] < 0.75 * left[0]
    assert left[2] < left[1]


def test_one_scale_is_the_network() -> None:
    image = noise(2, 1, 20, 24)
    assert MultiScale(HighPass(), 1)(image).equal(HighPass()(image))
    # Too small for a second scale.
    assert MultiScale(HighPass(), 2)(image[:, :, :15]).equal(HighPass()(image[:, :, :15]))
    network = DRAN(1, features=4, blocks=1, layers=1)
    assert [type(part) for part in fuse(network)] == [FusedDRAN, QuietCorners]
    assert isinstance(fuse(network, 2), MultiScale)


def test_structure_stays() -> None:
    # At the coarse scale these stripes are narrower than the mean: it takes them for noise.
    stripes = torch.sin(torch.arange(64) * 0.5).repeat(64, 1)[None, None]
    assert HighPass(3)(F.avg_pool2d(stripes, 2)).std() > 0.2
    noisy = stripes + 0.3 * noise(1, 1, 64, 64)
    one, two = (MultiScale(HighPass(3), scales)(noisy) for scales in (1, 2))
    assert (one - two).abs().max() < 1e-3 * one.std()


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (40, 19)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_each_image_apart(shape: tuple[int, int], channels: int) -> None:
    torch.manual_seed(0)
    network = fuse(DRAN(channels, features=8, blocks=1, layers=2).eval(), 2)
    images = noise(3, channels, *shape)
    with torch.no_grad():
        together = network(images)
        apart = torch.cat([network(image[None]) for image in images])
    assert together.shape == images.shape
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


def test_constant_images_stay_finite() -> None:
    constant = torch.full((1, 1, 32, 32), 0.3)
    assert torch.isfinite(MultiScale(HighPass(), 3)(constant)).all()


def test_scales_with_the_image() -> None:
    image = noise(1, 1, 48, 48)
    two = MultiScale(HighPass(), 2)
    torch.testing.assert_close(two(image * 7), two(image) * 7, rtol=1e-4, atol=1e-4)
