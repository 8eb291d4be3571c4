"""Images brought to the size that a network was trained at."""

from __future__ import annotations

import pytest
import torch

from napari_dran.network.sides import bring_to_side, sides_at


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((512, 300), 256, [256, 150]),
        ((10, 40), 80, [20, 80]),
        ((7, 9), 0, [7, 9]),
        ((1, 99), 9, [1, 9]),
    ],
)
def test_sides_stay_in_proportion(size: tuple[int, int], longest: int, expected: list[int]) -> None:
    assert sides_at(*size, longest) == expected
    assert list(bring_to_side(torch.rand(1, 2, *size), longest).shape[-2:]) == expected


def test_images_of_the_size_are_not_touched() -> None:
    image = torch.rand(1, 1, 12, 20)
    assert bring_to_side(image, 20) is image
    assert bring_to_side(image, 0) is image


def test_what_smaller_pixels_cannot_hold_is_filtered_out() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(32).expand(1, 1, 64, 64)
    torch.testing.assert_close(
        bring_to_side(stripes, 16)[..., 2:-2], torch.full((1, 1, 16, 12), 0.5)
    )
