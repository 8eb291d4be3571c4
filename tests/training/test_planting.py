"""Planes, spots and lines planted into clean crops."""

from __future__ import annotations

import pytest
import torch

from napari_dran.training.planting import (
    STRONGEST_BEND,
    THICKEST,
    WIDEST,
    with_lines,
    with_planes,
    with_spots,
)


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


@pytest.mark.parametrize("channels", [1, 3])
def test_lines_are_few_thin_and_of_both_signs(channels: int) -> None:
    crops = torch.full((200, channels, 48, 48), 0.5)
    changes = with_lines(crops, 0.5, generator()) - crops
    touched = changes.flatten(1).abs().amax(1) > 0
    assert 0.35 < touched.float().mean() < 0.6
    assert changes.max() > 0.2
    assert changes.min() < -0.2
    assert changes.abs().max() <= 0.5
    # At most six arcs, none longer than its whole circle or than three times the crop's side,
    # each of at most 3 pixels and its soft edge.
    area = (changes != 0).any(1).flatten(1).sum(1)
    assert area.max() <= 6 * 3 * 48 * (THICKEST + 1)


def test_a_line_is_an_arc_of_constant_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_dran.training.planting.MOST_MARKS", 1)
    crops = torch.full((60, 1, 64, 64), 0.5)
    changes = with_lines(crops, 1.0, generator(3)) - crops
    curvatures = []
    for change in changes[:, 0]:
        peak = change.abs().max()
        y, x = torch.nonzero(change.abs() > 0.99 * peak, as_tuple=True)
        if len(y) < 40:  # too short a piece to tell a circle from
            continue
        # The algebraic circle a (x^2 + y^2) + b x + c y + d = 0 nearest to the line's middle.
        y, x = y.double() / 64, x.double() / 64
        terms = torch.stack([x**2 + y**2, x, y, torch.ones_like(x)], 1)
        a, b, c, d = torch.linalg.svd(terms).Vh[-1]
        steepness = (b**2 + c**2 - 4 * a * d).sqrt()
        distance = 64 * (terms @ torch.stack([a, b, c, d])).abs() / steepness
        assert distance.max() < THICKEST / 2 + 0.5
        curvatures.append(float(2 * a.abs() / steepness / 64))
    assert len(curvatures) > 20
    assert max(curvatures) < 1.2 * STRONGEST_BEND
    assert max(curvatures) > 0.3 * STRONGEST_BEND


def test_the_generator_decides() -> None:
    crops = torch.rand(8, 1, 24, 24, generator=generator(2))
    for plant in (with_planes, with_spots, with_lines):
        assert plant(crops, 0.7, generator(5)).equal(plant(crops, 0.7, generator(5)))
        assert not plant(crops, 0.7, generator(5)).equal(plant(crops, 0.7, generator(6)))
        assert plant(crops, 0.0, generator(5)).equal(crops)
