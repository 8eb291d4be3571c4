"""Slices across every axis; time points, channels and colour."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran.intensity import Window

from .conftest import WINDOW, grey, network_of


@pytest.mark.parametrize(
    ("axis", "letter"),
    [(0, "z"), (1, "y"), (2, "x"), (-1, "x"), ("z", "z"), ("axial", "z"), ("Coronal", "y"),
     ("sagittal", "x"), ("2", "x"), ("-3", "z")],
)  # fmt: skip
def test_slices_across_every_axis(tenth, axis, letter) -> None:
    image = grey(9, 10, 11)
    steps = list(tenth.stream(image, axis=axis, window=WINDOW))
    position = "zyx".index(letter)
    assert [step.index[position] for step in steps] == list(range(image.shape[position]))
    assert [step.done for step in steps] == list(range(1, image.shape[position] + 1))
    assert {step.total for step in steps} == {image.shape[position]}
    for step in steps:
        np.testing.assert_allclose(step.noise, 0.1 * image[step.index], rtol=1e-4)
    assert tenth.plan(image, axis=axis).provenance().axis == letter


def test_time_points_are_looped_over_in_one_window(tenth) -> None:
    image = grey(2, 3, 9, 9)
    image[1] *= 2
    plan = tenth.plan(image, axes="tzyx", axis="y", window="full")
    assert plan.windows == (Window(image.min(), image.max(), "full"),)
    assert [step.index[::2] for step in plan.steps()] == [
        (t, y) for t in range(2) for y in range(9)
    ]


def test_channels_have_windows_of_their_own(tenth) -> None:
    image = grey(3, 2, 9, 9)
    image[1] *= 50
    image[2] = 4
    result = tenth.run(image, axes="czyx", window="full")
    windows = [Window(c.min(), c.max(), "full") for c in image[:2]]
    assert result.windows == (*windows, None)
    for channel, window in enumerate(windows):
        expected = 0.1 * (image[channel] - window.low)
        np.testing.assert_allclose(result.noise[channel], expected, rtol=1e-3, atol=1e-3)
    assert not result.noise[2].any()
    assert result.window == Window(image[:2].min(), image[:2].max(), "full")
    # Noise is a third of either channel's range, whatever their ranges are.
    assert result.provenance.sigma_255 == pytest.approx(255 / 12**0.5, rel=0.25)


def test_channels_share_a_window_that_is_given(tenth) -> None:
    assert tenth.plan(grey(3, 9, 9), axes="cyx", window="brain").windows == (
        Window(0, 80, "brain"),
    )


def test_colour_samples_go_together_and_alpha_stays(colour_tenth) -> None:
    image = grey(32, 33, 4, dtype="u2")
    result = colour_tenth.run(image, window=WINDOW)
    (seen,) = network_of(colour_tenth).seen
    assert seen.shape == (1, 3, 32, 33)
    np.testing.assert_allclose(seen[0].permute(1, 2, 0), image[..., :3] / 1000, rtol=1e-5)
    np.testing.assert_allclose(result.image[..., :3], 0.9 * image[..., :3], atol=0.5001)
    np.testing.assert_array_equal(result.image[..., 3], image[..., 3])
    assert not result.noise[..., 3].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_colour_volumes(colour_tenth, axis) -> None:
    image = grey(8, 9, 10, 3)
    result = colour_tenth.run(image, axis=axis, window=WINDOW)
    np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)


def test_colour_shares_one_window_without_alpha(colour_tenth) -> None:
    image = grey(9, 10, 4)
    image[..., 0] /= 10
    image[..., 3] = 1e6
    plan = colour_tenth.plan(image, window="full")
    assert plan.windows == (Window(image[..., :3].min(), image[..., :3].max(), "full"),)


def test_uniform_colour_is_constant(colour_tenth) -> None:
    image = np.zeros((9, 9, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    result = colour_tenth.run(image)
    np.testing.assert_array_equal(result.image, image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (2, 3, 20), (3, 1, 5), (8, 8)])
def test_narrow_slices_are_padded(tenth, shape) -> None:
    image = grey(*shape)
    image.flat[0] = 3
    result = tenth.run(image, window=WINDOW)
    if image.size > 1:
        np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)
    assert result.image.shape == shape


def test_padding_reflects(tenth) -> None:
    tenth.run(np.array([[100, 200, 300, 400, 500, 600]] * 32), window=WINDOW)
    (seen,) = network_of(tenth).seen
    # 13 pixels on both sides, to and fro.
    steps = np.arange(-13, 6 + 13) % 10
    row = 0.1 * (1 + np.minimum(steps, 10 - steps))
    np.testing.assert_allclose(seen[0, 0, 0], row, atol=1e-6)
