"""Denoising first: each image in the way that suits what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_dran import Cancelled, InputError, Volume, denoise, weights
from napari_dran.analysis.denoising_first import (
    KeptDenoiser,
    denoise_first,
    denoise_options,
    share,
    steps,
)
from napari_dran.weights import Card

from .conftest import SEQUENCES, blobs

COLOUR = Card("colour", "unet", {}, 3, task="segment", classes=("cell",))
BRAIN = replace(COLOUR, inputs=SEQUENCES, copied=1)
WINDOW = (0, 1000)
CPU = KeptDenoiser("cpu")


def quiet(done: int, total: int) -> None:
    """Tell nobody."""


def test_options() -> None:
    assert denoise_options(True) == denoise_options(np.True_) == {}
    assert denoise_options(False) is denoise_options(None) is None
    assert denoise_options({"strength": 0.5}) == {"strength": 0.5}
    with pytest.raises(
        InputError, match=r"no option 'sigma'.*weights, window, axis, strength, ensemble"
    ):
        denoise_options({"sigma": 25})
    with pytest.raises(InputError, match="True, False or a mapping"):
        denoise_options("yes")


@pytest.mark.parametrize("axes", ["yxs", "zyxs"])
@pytest.mark.parametrize("samples", [3, 4])
def test_sequences_are_denoised_one_by_one(dran, axes, samples) -> None:
    image = blobs(*(3, 20, 21)[3 - len(axes) + 1 :], samples, dtype="i2")
    options, told = {"weights": dran[1], "window": WINDOW, "strength": 0.5}, []
    volume = Volume(image, axes, unit="mm")
    clean, _ = denoise_first(volume, BRAIN, options, CPU, lambda *place: told.append(place))
    for sample in range(3):
        grey = np.ascontiguousarray(image[..., sample])
        expected = denoise(grey, axes=axes[:-1], device="cpu", **options)
        np.testing.assert_array_equal(clean.data[..., sample], expected)
    np.testing.assert_array_equal(clean.data[..., 3:], image[..., 3:])
    assert (clean.dtype, clean.axes, clean.unit) == (image.dtype, axes, "mm")
    total = steps(volume, BRAIN, options)
    assert total == 3 * (3 if axes[0] == "z" else 1)
    assert told == [(n, total) for n in range(1, total + 1)]
    assert clean.history[-1]["weights"] == "tiny-1"


def test_an_ensemble_counts_each_pass(dran) -> None:
    image, told = blobs(2, 20, 21, 3, dtype="i2"), []
    options = {"weights": dran[1], "window": WINDOW, "ensemble": 2}
    volume = Volume(image, "zyxs")
    clean, _ = denoise_first(volume, BRAIN, options, CPU, lambda *place: told.append(place))
    grey = np.ascontiguousarray(image[..., 1])
    expected = denoise(grey, axes="zyx", device="cpu", **options)
    np.testing.assert_array_equal(clean.data[..., 1], expected)
    assert told == [(n, 12) for n in range(1, 13)]
    with pytest.raises(InputError, match="ensemble of 1 to 8"):
        denoise_options({"ensemble": 9})


def test_colours_are_denoised_together(dran) -> None:
    image = blobs(20, 21, 3, dtype="u1", high=250)
    options = {"weights": dran[3], "window": (0, 255)}
    clean, _ = denoise_first(Volume(image), COLOUR, options, CPU, quiet)
    np.testing.assert_array_equal(clean.data, denoise(image, device="cpu", **options))
    assert steps(Volume(image), COLOUR, options) == 1


@pytest.mark.parametrize(("axes", "count"), [("yx", 1), ("zyx", 20), ("tzyx", 40), ("czyx", 60)])
def test_grey_images_and_channels(dran, axes, count) -> None:
    shape = {"t": 2, "c": 3, "z": 5, "y": 20, "x": 21}
    image, told = blobs(*(shape[letter] for letter in axes)), []
    options = {"weights": dran[1], "window": "full"} | ({"axis": "y"} if "z" in axes else {})
    volume = Volume(image, axes)
    clean, _ = denoise_first(volume, BRAIN, options, CPU, lambda *place: told.append(place))
    np.testing.assert_array_equal(clean.data, denoise(image, axes=axes, device="cpu", **options))
    assert steps(volume, BRAIN, options) == count == len(told)


def test_contrast_limits_and_notes(dran) -> None:
    volume = Volume(blobs(20, 21))
    options = {"weights": dran[1], "window": "contrast-limits"}
    clean, notes = denoise_first(volume, BRAIN, options, CPU, quiet, (100, 900))
    expected = denoise(volume.data, weights=dran[1], window=(100, 900), device="cpu")
    np.testing.assert_array_equal(clean.data, expected)
    assert notes == ()
    _, notes = denoise_first(volume, BRAIN, options, CPU, quiet, (-2e4, -1e4))
    assert "0.0% of the values lie in the window" in notes[0]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """List which weights that denoise are read."""
    read, load = [], weights.load_weights

    def counted(path):
        read.append(path)
        return load(path)

    monkeypatch.setattr(weights, "load_weights", counted)
    return read


def test_weights_are_read_once_for_many_images(bright, dran, loaded) -> None:
    segmenter = bright()
    for image in (blobs(20, 21), blobs(2, 20, 20), blobs(20, 21)):
        segmenter.run(image, denoise={"weights": dran[1]})
    assert loaded == [dran[1]]
    segmenter.release()
    segmenter.run(blobs(20, 21), denoise={"weights": dran[1], "strength": 0.5})
    assert loaded == [dran[1]]
    # Others take their place.
    segmenter.run(blobs(20, 21, 3), denoise={"weights": dran[3]})
    assert loaded == [dran[1], dran[3]]


def test_cancelling_leaves_the_image_alone(dran) -> None:
    image = blobs(20, 21, 3)
    before = image.copy()
    progress = share(lambda done, total: done < 2, 0, 10)
    with pytest.raises(Cancelled, match="after 2 of 10"):
        denoise_first(Volume(image), BRAIN, {"weights": dran[1]}, CPU, progress)
    np.testing.assert_array_equal(image, before)
