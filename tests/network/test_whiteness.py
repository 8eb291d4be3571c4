"""Residuals that are held to be white."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_dran.network.dran import DRAN
from napari_dran.network.fused import fuse
from napari_dran.network.whiteness import WhiteOnly, white_share


def white(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def waves(side: int) -> Tensor:
    return torch.sin(torch.arange(side) * 0.4).repeat(side, 1)[None, None]


@pytest.mark.parametrize("shape", [(2, 1, 64, 64), (1, 3, 48, 31)])
def test_white_noise_stays(shape: tuple[int, ...]) -> None:
    noise = white(*shape)
    assert WhiteOnly()(noise).equal(noise)


def test_smooth_structure_is_not_taken_away() -> None:
    assert WhiteOnly()(waves(64)).abs().max() < 1e-6


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_a_mixture_is_scaled_by_the_share_of_noise_in_its_power(power: float) -> None:
    structure = waves(256) * np.sqrt(2 * power)  # a sine has half the power of its square
    share = float(white_share(structure + white(1, 1, 256, 256)))
    assert share == pytest.approx(1.05 / (1 + power), rel=0.05)


def test_wiener_s_gain_leaves_the_least_error() -> None:
    noise, structure = white(1, 1, 256, 256), 2 * waves(256)
    removed = WhiteOnly()(noise + structure)

    def error(gain: float) -> float:
        return float((noise - gain * (noise + structure)).square().mean())

    best = min(error(gain) for gain in np.linspace(0, 1, 201))
    assert float((noise - removed).square().mean()) < 1.01 * best


def test_each_image_apart_and_nothing_from_nothing() -> None:
    images = torch.cat([white(1, 1, 64, 64), waves(64), torch.zeros(1, 1, 64, 64)])
    shares = white_share(images).flatten()
    assert shares[0] == 1
    assert shares[1] < 1e-6
    assert shares[2] == 0


def test_networks_are_held_to_it_where_asked() -> None:
    torch.manual_seed(0)
    network = DRAN(1, features=8, blocks=1, layers=2).eval()
    image = waves(48)
    with torch.no_grad():
        free, held = (fuse(network, 2, white=asked)(image) for asked in (False, True))
    torch.testing.assert_close(held, free * white_share(free))
    assert held.std() < 0.5 * free.std()
