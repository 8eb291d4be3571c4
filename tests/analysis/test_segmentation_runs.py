"""Segmentation: empty results, memory, cancelling, denoising first, weights, layers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from napari_dran import Cancelled, Volume, WeightsError
from napari_dran.analysis import Segmenter, segment

from .conftest import SEQUENCES, blobs

WINDOW = (0, 1000)


# ---- nothing there


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_a_constant_image_holds_nothing(bright, dtype) -> None:
    found = bright().run(np.full((3, 20, 20), 200, dtype))
    assert not found.labels.data.any()
    assert (found.count, found.scores) == (0, {})
    assert any("Nothing was found: no tumour above 0.5" in note for note in found.notes)


def test_an_empty_result_is_a_sentence(bright) -> None:
    image = blobs(20, 20)
    with pytest.warns(UserWarning, match="Nothing was found"):
        labels = segment(image, weights=bright()._runner.weights, threshold=1.0, device="cpu")
    assert labels.shape == image.shape
    assert not labels.any()


# ---- dask, memory, progress


def test_dask_is_computed_once(bright) -> None:
    da = pytest.importorskip("dask.array")
    image = blobs(9, 20, 21)
    computed = []

    def block(block_id: tuple[int, ...] = ()) -> np.ndarray:
        computed.append(block_id)
        return image[block_id[0] : block_id[0] + 1]

    lazy = da.map_blocks(block, chunks=((1,) * 9, (20,), (21,)), dtype="f4", meta=image[:0])
    found = bright().run(lazy, window="full", axis=1)
    assert len(computed) == 9
    np.testing.assert_array_equal(
        found.labels.data, bright().run(image, window="full", axis=1).labels.data
    )


def test_a_volume_needs_few_copies(bright) -> None:
    image = blobs(48, 128, 128, dtype="u2")
    segmenter = bright()
    segmenter._runner._network.seen = type("Forgetful", (), {"append": lambda *_: None})()
    tracemalloc.start()
    segmenter.run(image, axis=2, minimum_size=5, window=WINDOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Labels and probability of four bytes each, a mask of one, and some slices.
    assert peak < 11 * image.size


def test_progress_and_cancelling(bright) -> None:
    told = []
    segmenter = bright()
    segmenter.run(blobs(5, 20, 20), progress=lambda *place: told.append(place))
    assert told == [(n, 5) for n in range(1, 6)]
    with pytest.raises(Cancelled, match="after 2 of 5"):
        segmenter.run(blobs(5, 20, 20), progress=lambda done, total: done < 2)


# ---- denoising first


def test_denoising_comes_first(bright, dran) -> None:
    image, told = blobs(4, 20, 20, dtype="i2"), []
    segmenter = bright(inputs=SEQUENCES, copied=1)
    found = segmenter.run(
        image, denoise={"weights": dran[1], "axis": "y"}, window="full",
        progress=lambda *place: told.append(place),
    )  # fmt: skip
    assert found.denoised
    assert found.image.dtype == image.dtype
    assert (found.image.data != image).any()
    # 20 slices to denoise, 4 to segment.
    assert told == [(n, 24) for n in range(1, 25)]
    assert [entry["operation"] for entry in found.labels.history] == ["denoise", "segment"]
    # The window is that of the denoised image: noise would widen it.
    again = segmenter.run(found.image, window="full")
    np.testing.assert_array_equal(found.labels.data, again.labels.data)
    assert not segmenter.run(image, denoise=None).denoised


# ---- weights


def test_weights_for_something_else(saved, dran) -> None:
    with pytest.raises(WeightsError, match="expected one that segments"):
        Segmenter(dran[1])
    with pytest.raises(WeightsError, match="expected one that segments"):
        Segmenter(saved("detect"))


def test_weights_that_are_broken(bright) -> None:
    segmenter = bright()
    segmenter._runner._network = torch.nn.Conv2d(3, 2, 1)
    torch.nn.init.constant_(segmenter._runner._network.weight, torch.nan)
    with pytest.raises(WeightsError, match="not finite"):
        segmenter.run(blobs(20, 20))


@pytest.mark.parametrize("size", [(8, 8), (33, 50)])
def test_a_real_network(saved, size) -> None:
    weights = saved("segment", inputs=SEQUENCES, side=64)
    colours = blobs(*size, 3, dtype="u1", high=250)
    options = {"device": "cpu", "threshold": 0.3}
    labels, probability = segment(colours, weights=weights, probabilities=True, **options)
    assert labels.shape == probability.shape == size
    np.testing.assert_array_equal(labels > 0, probability >= 0.3)
    assert 0 < probability.min() <= probability.max() < 1
    again = Segmenter(weights, device="cpu").run(colours)
    np.testing.assert_array_equal(again.probability.data, probability)


# ---- what goes in comes out


def test_arrays_volumes_and_layers(saved) -> None:
    layers = pytest.importorskip("napari.layers")
    weights, image = saved("segment"), blobs(3, 20, 21, dtype="u2")
    options = {"weights": weights, "device": "cpu", "window": "contrast-limits", "threshold": 0.4}
    layer = layers.Image(
        image, name="scan", scale=(3, 0.5, 0.5), translate=(1, 2, 3), units="um",
        contrast_limits=(0, 800),
    )  # fmt: skip
    found = segment(layer, **options)
    assert isinstance(found, layers.Labels)
    assert found.name == "scan (segmented)"
    np.testing.assert_array_equal(found.scale, layer.scale)
    expected = segment(image, **{**options, "window": (0, 800)})
    np.testing.assert_array_equal(found.data, expected)
    assert isinstance(expected, np.ndarray)
    volume, probability = segment(
        Volume(image), probabilities=True, **{**options, "window": (0, 800)}
    )
    assert isinstance(volume, Volume)
    assert isinstance(probability, Volume)
    np.testing.assert_array_equal(volume.data, expected)
