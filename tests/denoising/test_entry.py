"""denoise(): whatever goes in, the same comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_dran import Denoiser, denoise
from napari_dran.denoising.entry import METADATA_KEY, axes_of_layer
from napari_dran.errors import InputError
from napari_dran.network.dran import DRAN
from napari_dran.volume import Volume
from napari_dran.weights import save_weights

from .conftest import card_for

WINDOW = (0, 1000)
# The images here are little else than noise.
pytestmark = pytest.mark.filterwarnings("ignore:The estimated noise")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Tiny weights for grey (1) and colour (3)."""
    folder, paths = tmp_path_factory.mktemp("weights"), {}
    for channels in (1, 3):
        torch.manual_seed(channels)
        network = DRAN(channels, features=8, blocks=1, layers=2).eval()
        paths[channels] = folder / f"tiny{channels}.safetensors"
        save_weights(paths[channels], network, card_for(channels, **network.arguments))
    return paths


def grey(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 1000, shape).astype(dtype)


def test_arrays(weights) -> None:
    image = grey(3, 12, 12)
    clean = denoise(image, weights=weights[1], window=WINDOW, device="cpu")
    assert isinstance(clean, np.ndarray)
    assert clean.dtype == image.dtype
    assert (clean != image).any()
    np.testing.assert_array_equal(
        denoise(image, weights=weights[1], window=WINDOW, strength=0, device="cpu"), image
    )
    lists = denoise([[1, 2], [3, 4]], weights=weights[1], device="cpu")
    assert lists.shape == (2, 2)


def test_volumes(weights) -> None:
    volume = Volume(grey(3, 12, 12), name="scan")
    clean = denoise(volume, weights=weights[1], device="cpu", axis="y")
    assert clean.name == "scan"
    assert clean.history[-1]["axis"] == "y"
    assert volume.history == ()


# ---- dask


@pytest.mark.parametrize(
    ("shape", "axes", "axis", "channels"),
    [
        ((12, 13), "yx", 0, 1),
        ((5, 12, 13), "zyx", 0, 1),
        ((5, 12, 13), "zyx", 1, 1),
        ((2, 3, 12, 13), "tzyx", 2, 1),
        ((2, 3, 12, 13), "czyx", 0, 1),
        ((12, 13, 4), "yxs", 0, 3),
        ((3, 12, 13, 3), "zyxs", 2, 3),
    ],
)
@pytest.mark.parametrize("window", [WINDOW, "full"])
def test_dask_stays_lazy_and_agrees(weights, shape, axes, axis, channels, window) -> None:
    da = pytest.importorskip("dask.array")
    image = grey(*shape)
    image[..., 0, :] *= 3
    arguments = {"weights": weights[channels], "axes": axes, "axis": axis, "window": window}
    lazy = denoise(da.from_array(image, chunks=4), device="cpu", **arguments)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (image.shape, image.dtype)
    assert max(lazy.numblocks) > 1 or len(axes.rstrip("s")) == 2
    np.testing.assert_array_equal(lazy.compute(), denoise(image, device="cpu", **arguments))


def test_dask_computes_only_the_slices_asked_for(weights) -> None:
    da = pytest.importorskip("dask.array")
    calls: list[int] = []

    def load(block: np.ndarray, block_id: tuple[int, ...] = ()) -> np.ndarray:
        calls.append(block_id[0])
        return grey(1, 12, 12)

    image = da.zeros((200, 12, 12), chunks=(1, 12, 12), dtype="u2")
    image = image.map_blocks(load, dtype="u2", meta=np.empty((0, 0, 0), "u2"))
    lazy = denoise(image, weights=weights[1], device="cpu")
    # The window comes from a sample of 16 slices.
    assert len(calls) <= 16
    calls.clear()
    lazy[77].compute()
    assert calls == [77]


def test_dask_can_be_sent_to_other_processes(weights) -> None:
    da = pytest.importorskip("dask.array")
    import pickle

    import cloudpickle  # dask itself needs it

    lazy = denoise(da.from_array(grey(2, 12, 12)), weights=weights[1], window=WINDOW, device="cpu")
    again = pickle.loads(cloudpickle.dumps(lazy))
    np.testing.assert_array_equal(again.compute(), lazy.compute())


def test_dask_volumes_and_bad_arguments(weights) -> None:
    da = pytest.importorskip("dask.array")
    volume = Volume(da.from_array(grey(2, 12, 12)))
    clean = denoise(volume, weights=weights[1], window=WINDOW, device="cpu")
    assert isinstance(clean.data, da.Array)
    assert clean.history[-1]["window"] == [0, 1000]
    with pytest.raises(InputError, match="no slice axis 9"):
        denoise(volume, weights=weights[1], axis=9, device="cpu")
    with pytest.raises(InputError, match="bool mask"):
        denoise(da.zeros((8, 8), dtype=bool), device="cpu")


def test_dask_whose_sampled_slices_are_nan(weights) -> None:
    da = pytest.importorskip("dask.array")
    image = np.full((64, 9, 9), np.nan)
    image[0] = grey(9, 9)
    options = {"weights": weights[1], "device": "cpu"}
    for window in ("percentile", "full", WINDOW):
        clean = denoise(da.from_array(image, chunks=(1, 9, 9)), window=window, **options)
        assert np.isfinite(clean[0].compute()).all()
        assert np.array_equal(clean[1:].compute(), image[1:], equal_nan=True)
        with pytest.raises(InputError, match="no finite value"):
            denoise(da.full((64, 9, 9), np.nan), window=window, **options)


def test_what_to_know_is_a_warning(weights) -> None:
    image = 100 * np.random.default_rng(0).random((24, 24))
    with pytest.warns(UserWarning, match="outside what the weights") as caught:
        denoise(image, weights=weights[1], window=(0, 80), device="cpu")
    assert caught[0].filename == __file__


# ---- napari layers


def image_layer(data: object, **arguments: object) -> object:
    layers = pytest.importorskip("napari.layers")
    return layers.Image(data, **arguments)


def test_layers_keep_their_look(weights) -> None:
    layer = image_layer(
        grey(3, 12, 12),
        name="scan",
        scale=(3, 2, 1),
        translate=(1, 2, 3),
        rotate=30,
        axis_labels=("z", "y", "x"),
        contrast_limits=(5, 900),
        colormap="magma",
        gamma=0.7,
        opacity=0.5,
        metadata={"kept": 1, METADATA_KEY: {"history": ({"was": "read"},)}},
    )
    before = layer.data.copy()
    clean = denoise(
        layer, weights=weights[1], axis="coronal", window="contrast-limits", device="cpu"
    )
    assert type(clean) is type(layer)
    assert clean.name == "scan (denoised)"
    old, new = layer.as_layer_data_tuple()[1], clean.as_layer_data_tuple()[1]
    for key in set(old) - {"name", "metadata"}:
        assert np.all(old[key] == new[key]) or str(old[key]) == str(new[key]), key
    assert clean.metadata["kept"] == 1
    was, done = clean.metadata[METADATA_KEY]["history"]
    assert was == {"was": "read"}
    assert (done["axis"], done["window"], done["window_name"]) == ("y", [5, 900], "contrast-limits")
    np.testing.assert_array_equal(layer.data, before)
    assert len(layer.metadata[METADATA_KEY]["history"]) == 1
    expected = denoise(before, weights=weights[1], axis=1, window=(5, 900), device="cpu")
    np.testing.assert_array_equal(clean.data, expected)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_layers_and_ensembles(weights, lazy, channels) -> None:
    image = grey(2, 12, 14, 3) if channels == 3 else grey(2, 12, 14)
    image = (image // 4).astype("u1")
    arguments = {"weights": weights[channels], "window": (0, 255), "device": "cpu"}
    data = pytest.importorskip("dask.array").from_array(image) if lazy else image
    layer = image_layer(data, rgb=channels == 3)
    clean = denoise(layer, ensemble=4, **arguments)
    expected = Denoiser(weights[channels], device="cpu").run(
        image, axes="zyxs"[: image.ndim], window=(0, 255), ensemble=4
    )
    np.testing.assert_array_equal(np.asarray(clean.data), expected.image)
    assert (expected.image != denoise(image, axes="zyxs"[: image.ndim], **arguments)).any()
    assert clean.metadata[METADATA_KEY]["history"][-1]["ensemble"] == 4


def test_colour_layers(weights) -> None:
    layer = image_layer(grey(12, 12, 3, dtype="u1"), rgb=True)
    clean = denoise(layer, weights=weights[3], device="cpu")
    assert clean.rgb
    assert clean.data.shape == (12, 12, 3)
    # Three columns are no colour unless the layer says so.
    narrow = image_layer(grey(12, 12, 3), rgb=False)
    assert denoise(narrow, weights=weights[1], device="cpu").data.shape == (12, 12, 3)


def test_channel_layers_are_known_by_their_labels(weights) -> None:
    data = grey(2, 12, 12)
    data[1] *= 30
    layer = image_layer(data, axis_labels=("c", "y", "x"))
    clean = denoise(layer, weights=weights[1], window="full", device="cpu")
    expected = denoise(data, axes="cyx", weights=weights[1], window="full", device="cpu")
    np.testing.assert_array_equal(clean.data, expected)


def test_multiscale_layers_give_their_first_level(weights) -> None:
    data = grey(32, 32)
    layer = image_layer([data, data[::2, ::2]], multiscale=True)
    clean = denoise(layer, weights=weights[1], window=WINDOW, device="cpu")
    assert not clean.multiscale
    expected = denoise(data, weights=weights[1], window=WINDOW, device="cpu")
    np.testing.assert_array_equal(clean.data, expected)


def test_dask_layers_stay_lazy(weights) -> None:
    da = pytest.importorskip("dask.array")
    layer = image_layer(da.from_array(grey(3, 12, 12), chunks=(1, 12, 12)))
    clean = denoise(layer, weights=weights[1], window="contrast-limits", device="cpu")
    assert isinstance(clean.data, da.Array)
    assert clean.metadata[METADATA_KEY]["history"][-1]["window_name"] == "contrast-limits"


def test_other_layers_are_refused(weights) -> None:
    layers = pytest.importorskip("napari.layers")
    with pytest.raises(InputError, match="Expected an image layer, got the labels layer 'organs'"):
        denoise(layers.Labels(np.zeros((9, 9), int), name="organs"), device="cpu")
    with pytest.raises(InputError, match="2-D, 3-D or 4-D"):
        denoise(image_layer(np.ones((1, 1, 1, 9, 9))), device="cpu")


@pytest.mark.parametrize(
    ("shape", "rgb", "labels", "axes"),
    [
        ((5, 9, 9), False, (), "zyx"),
        ((5, 9, 9), False, ("-3", "-2", "-1"), "zyx"),
        ((5, 9, 9), False, ("C", "Y", "X"), "cyx"),
        ((9, 9, 3), True, ("y", "x"), "yxs"),
        ((9, 9, 3), False, (), "zyx"),
        ((2, 5, 9, 9), False, ("a", "b", "y", "x"), "tzyx"),
    ],
)
def test_axes_of_layers(shape, rgb, labels, axes) -> None:
    assert axes_of_layer(shape, rgb, labels) == axes
