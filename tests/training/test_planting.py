"""Planes and spots planted into clean crops."""

from __future__ import annotations

import pytest
import torch

from napari_dran.training.planting import WIDEST, with_planes, with_spots


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3])
def test_planes_replace_their_share_and_have_no_structure(channels: int) -> None:
    crops = torch.rand(400, channels, 16, 20, generator=generator(1))
    planted = with_planes(crops, 0.25, generator())
    same = (planted == crops).flatten(1).all(1)
    assert 0.6 < same.float().mean() < 0.85
    planes = planted[~same]
    assert 0 <= planes.min() <= planes.max() <= 1
    inside = planes[((planes > 0) & (planes < 1)).flatten(1).all(1)]
    for axis in (2, 3):
        assert inside.diff(n=2, dim=axis).abs().max() < 1e-5
    level = (planes == planes[..., :1, :1]).flatten(1).all(1)
    assert 0.3 < level.float().mean() < 0.7


@pytest.mark.parametrize("channels", [1, 3])
def test_spots_are_few_small_and_of_both_signs(channels: int) -> None:
    crops = torch.full((300, channels, 48, 48), 0.5)
    planted = with_spots(crops, 0.5, generator())
    changes = planted - crops
    touched = changes.flatten(1).abs().amax(1) > 0
    assert 0.4 < touched.float().mean() < 0.6
    assert changes.max() > 0.2
    assert changes.min() < -0.2
    assert changes.abs().max() <= 0.5
    # At most six discs, each of at most 8 pixels and its soft edge.
    area = (changes != 0).any(1).flatten(1).sum(1)
    assert area.max() <= 6 * 3.15 * (WIDEST / 2 + 0.75) ** 2


def test_the_generator_decides() -> None:
    crops = torch.rand(8, 1, 24, 24, generator=generator(2))
    for plant in (with_planes, with_spots):
        assert plant(crops, 0.7, generator(5)).equal(plant(crops, 0.7, generator(5)))
        assert not plant(crops, 0.7, generator(5)).equal(plant(crops, 0.7, generator(6)))
        assert plant(crops, 0.0, generator(5)).equal(crops)
