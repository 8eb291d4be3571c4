"""What a network is shown: channels, windows, slices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_dran import InputError, Volume, read_volume
from napari_dran.analysis.inputs import network_input, planes_of
from napari_dran.analysis.preparation import check_share, check_size
from napari_dran.intensity import Window, choose_window, normalise
from napari_dran.weights import Card

from .conftest import SEQUENCES, blobs

GREY = Card("grey", "unet", {}, 1, task="segment", classes=("cell",))
COLOUR = replace(GREY, name="colour", channels=3)
BRAIN = replace(COLOUR, name="brain", inputs=SEQUENCES, copied=1)
TWO = replace(GREY, name="two", channels=2)
FOUR = replace(BRAIN, name="four", channels=4, inputs=("T1", "T1c", "T2", "FLAIR"), copied=3)


# ---- channels


@pytest.mark.parametrize("card", [GREY, COLOUR, BRAIN, FOUR], ids=lambda card: card.name)
@pytest.mark.parametrize("axes", ["yx", "zyx", "tyx", "tzyx", "cyx", "czyx"])
def test_a_grey_image_stands_for_all_channels(card, axes) -> None:
    shape = {"t": 2, "c": 1, "z": 4, "y": 12, "x": 13}
    volume = Volume(blobs(*(shape[a] for a in axes)), axes)
    planes = planes_of(volume, card)
    assert len(planes.data) == card.channels
    assert planes.axes == axes.replace("c", "")
    for plane in planes.data:
        assert plane.shape == tuple(shape[a] for a in planes.axes)
        assert np.shares_memory(plane, volume.data)
    note = " ".join(planes.notes)
    assert ("as if it were the FLAIR" in note) == bool(card.inputs)


@pytest.mark.parametrize("card", [COLOUR, BRAIN], ids=lambda card: card.name)
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("axes", ["yxs", "zyxs", "tzyxs"])
def test_colour_samples_are_channels_and_alpha_is_none(card, samples, axes) -> None:
    data = blobs(*(2, 9, 10, 11)[4 - len(axes) + 1 :], samples)
    planes = planes_of(Volume(data, axes), card)
    assert planes.axes == axes[:-1]
    assert planes.notes == ()
    for number, plane in enumerate(planes.data):
        np.testing.assert_array_equal(plane, data[..., number])
    assert len(planes.data) == 3


@pytest.mark.parametrize(("card", "channels"), [(BRAIN, 3), (FOUR, 4), (TWO, 2)])
def test_a_channel_axis_holds_the_inputs(card, channels) -> None:
    data = blobs(channels, 5, 9, 10)
    planes = planes_of(Volume(data, "czyx"), card)
    assert planes.axes == "zyx"
    np.testing.assert_array_equal(np.stack(planes.data), data)


@pytest.mark.parametrize(
    ("card", "axes", "shape", "words"),
    [
        (GREY, "yxs", (9, 9, 3), "Convert it to grey"),
        (replace(GREY, inputs=("FLAIR",)), "yxs", (9, 9, 3), "take a grey image, got .* colour"),
        (FOUR, "yxs", (9, 9, 4), r"4 channels .T1, T1c, T2, FLAIR., got .* colour.*Stack the 4"),
        (TWO, "yxs", (9, 9, 3), "take 2 channels, got an image with colour.*Stack the 2 images"),
        (TWO, "yx", (9, 9), "take 2 channels, got a single grey image.*Stack the 2 images"),
        (TWO, "cyx", (1, 9, 9), "take 2 channels, got a single grey image"),
        (TWO, "czyx", (3, 9, 9, 9), "take 2 channels, got 3 channels. Select those 2[.]"),
        (FOUR, "cyx", (3, 9, 9), "got 3 channels. Stack the 4 images"),
        (COLOUR, "yxs", (9, 9, 2), "3 .RGB. or 4 .RGBA."),
        (BRAIN, "zyxs", (9, 9, 9, 5), "3 .RGB. or 4 .RGBA."),
        (BRAIN, "cyx", (2, 9, 9), "3 channels .T1, FLAIR"),
        (COLOUR, "cyx", (3, 9, 9), "a grey or a colour image.*If they are colours, move them"),
        (GREY, "cyx", (2, 9, 9), "a grey image"),
    ],
)
def test_other_channels_are_refused(card, axes, shape, words) -> None:
    with pytest.raises(InputError, match=words):
        network_input(Volume(blobs(*shape), axes), card)


# ---- slices


@pytest.mark.parametrize(("axis", "letter"), [(0, "z"), ("coronal", "y"), (-1, "x")])
def test_slices_are_cut_across_each_axis(axis, letter) -> None:
    data = blobs(9, 10, 11, dtype="u2")
    seen = network_input(Volume(data), BRAIN, window="full", axis=axis)
    assert seen.axis == letter
    assert len(seen.indices) == data.shape["zyx".index(letter)]
    window = Window(float(data.min()), float(data.max()))
    for number, index in enumerate(seen.indices):
        expected = normalise(data.take(number, "zyx".index(letter)), window)
        pixels = seen.pixels(index)
        assert pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, [expected] * 3)


def test_time_points_come_one_after_the_other() -> None:
    data = blobs(2, 3, 10, 11)
    seen = network_input(Volume(data, "tzyx"), GREY)
    assert [index[:2] for index in seen.indices] == [(t, z) for t in range(2) for z in range(3)]


@pytest.mark.parametrize(
    ("shape", "axes", "axis"), [((7, 40), "yx", 0), ((1, 40, 40), "zyx", "y"), ((4, 40, 5), "", 0)]
)
def test_slices_that_are_too_narrow(shape, axes, axis) -> None:
    with pytest.raises(InputError, match="8 x 8 or more"):
        network_input(Volume(blobs(*shape), axes), GREY, axis=axis)


@pytest.mark.parametrize(
    ("shape", "axis"), [((1, 12, 13), "z"), ((12, 1, 13), "y"), ((12, 13, 1), "x")]
)
def test_a_singleton_axis_is_a_stack_of_one(shape, axis) -> None:
    volume = Volume(blobs(*shape))
    seen = network_input(volume, BRAIN, axis=axis)
    assert (seen.axis, len(seen.indices)) == (axis, 1)
    assert seen.pixels(seen.indices[0]).shape == (3, 12, 13)
    if axis != "z":
        with pytest.raises(InputError, match=rf"Slice across {axis} \(axis {'zyx'.index(axis)}\)"):
            network_input(volume, BRAIN)


# ---- windows


@pytest.mark.parametrize("axes", ["yx", "zyx", "yxs"])
def test_eight_bits_are_shown_as_they_are(axes) -> None:
    data = blobs(*(9, 10, 3)[: len(axes)] if axes != "zyx" else (4, 9, 10), dtype="u1", high=90)
    seen = network_input(Volume(data, axes), COLOUR)
    for window in seen.windows:
        assert (window.low, window.high) == (0, 255)
    index = seen.indices[0]
    np.testing.assert_allclose(seen.pixels(index)[0], seen.planes.data[0][index] / 255, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["u2", "i2", "i4", "f2", "f4", "f8"])
def test_others_are_shown_by_percentile(dtype) -> None:
    data = blobs(4, 20, 20, dtype=dtype)
    seen = network_input(Volume(data), BRAIN)
    assert set(seen.windows) == {choose_window(data, "percentile")}


@pytest.mark.parametrize("axes", ["cyx", "yxs"])
def test_inputs_have_windows_of_their_own(axes) -> None:
    images = [blobs(20, 20, high=high) for high in (10, 1000, 1e5)]
    volume = Volume(np.stack(images, axes.index(axes.strip("yx"))), axes)
    seen = network_input(volume, BRAIN, window="full")
    for image, window in zip(images, seen.windows, strict=True):
        assert (window.low, window.high) == (image.min(), image.max())


def test_colours_share_a_window_without_alpha() -> None:
    image = blobs(20, 20, 4, dtype="u2")
    image[..., 3] = 60000
    seen = network_input(Volume(image, "yxs"), COLOUR, window="full")
    assert len(set(seen.windows)) == 1
    assert seen.windows[0].high == image[..., :3].max()


def test_windows_by_name_and_number() -> None:
    hounsfield = Volume(blobs(10, 20, 20, low=-1000, high=1000))
    assert network_input(hounsfield, GREY, window="brain").windows == (Window(0, 80, "brain"),)
    assert network_input(hounsfield, GREY, window="-100:300").windows == (Window(-100, 300),)
    (limits,) = network_input(
        hounsfield, GREY, window="contrast-limits", contrast_limits=(-20, 60)
    ).windows
    assert (limits.low, limits.high) == (-20, 60)
    with pytest.raises(InputError, match="contrast limits of a layer"):
        network_input(hounsfield, GREY, window="contrast-limits")


def test_a_constant_input_is_shown_as_black() -> None:
    data = np.stack([blobs(20, 20), np.full((20, 20), 7.0, "f4"), blobs(20, 20)])
    seen = network_input(Volume(data, "cyx"), BRAIN)
    assert seen.windows[1] is None
    pixels = seen.pixels(seen.indices[0])
    assert not pixels[1].any()
    assert pixels[0].any()


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_a_constant_slice_is_not_shown(dtype) -> None:
    data = blobs(3, 20, 20, dtype=dtype, high=200)
    data[1] = 5
    seen = network_input(Volume(data), BRAIN)
    assert [seen.pixels(index) is None for index in seen.indices] == [False, True, False]


def test_values_that_are_none() -> None:
    data = blobs(3, 20, 20)
    data[0, 3, 4], data[1, 5, 5], data[2] = np.nan, np.inf, np.nan
    seen = network_input(Volume(data), GREY, window="full")
    finite = data[np.isfinite(data)]
    assert seen.windows == (Window(finite.min(), finite.max(), "full"),)
    assert np.isfinite(seen.pixels(seen.indices[0])).all()
    assert np.isfinite(seen.pixels(seen.indices[1])).all()
    assert seen.pixels(seen.indices[2]) is None
    with pytest.raises(InputError, match="no finite value"):
        network_input(Volume(np.full((20, 20), np.nan)), GREY)


@pytest.mark.corpus
def test_a_real_slice_is_shown_as_it_was_in_training(corpus: Path) -> None:
    path = sorted((corpus / "lgg" / "test" / "images").iterdir())[0]
    volume = read_volume(path)
    seen = network_input(volume, BRAIN)
    expected = np.moveaxis(np.asarray(volume.data, np.float32).squeeze(), -1, 0) / 255
    np.testing.assert_allclose(seen.pixels(seen.indices[0]), expected, rtol=1e-6)


# ---- numbers


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan, np.inf, None, "0.5", np.zeros(2)])
def test_shares_that_cannot_be(value) -> None:
    with pytest.raises(InputError, match="Expected a threshold from 0 to 1, got"):
        check_share("threshold", value)


@pytest.mark.parametrize("value", [-1, np.nan, None, "2"])
def test_sizes_that_cannot_be(value) -> None:
    with pytest.raises(InputError, match="minimum size of 0 or more, got"):
        check_size(value)


def test_numbers_of_numpy() -> None:
    assert check_share("threshold", np.float32(0.5)) == 0.5
    assert check_size(np.int64(3)) == 3
