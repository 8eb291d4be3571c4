"""The bundled images."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from napari_dran.errors import InputError
from napari_dran.samples import SAMPLES, load_sample

FOLDER = resources.files("napari_dran") / "sample_data"


@pytest.mark.parametrize(
    ("name", "shape", "axes", "dtype"),
    [
        ("t1-noisy", (48, 160, 124), "zyx", "float32"),
        ("t1", (48, 160, 124), "zyx", "uint8"),
        ("flair", (48, 160, 124), "zyx", "uint8"),
        ("epi", (2, 24, 96, 128), "tzyx", "int16"),
        ("micrograph", (256, 320, 3), "yxs", "uint8"),
        ("nuclei-noisy", (256, 256), "yx", "float32"),
        ("nuclei", (256, 256), "yx", "uint8"),
    ],
)
def test_shape_axes_and_type(name: str, shape: tuple[int, ...], axes: str, dtype: str) -> None:
    volume = load_sample(name)
    assert (volume.shape, volume.axes, str(volume.dtype)) == (shape, axes, dtype)
    assert volume.name == name
    assert np.ptp(volume.data) > 0


def test_every_sample_is_tested_above() -> None:
    assert list(SAMPLES) == [
        "t1-noisy", "t1", "flair", "epi", "micrograph", "nuclei-noisy", "nuclei",
    ]  # fmt: skip


def test_geometry() -> None:
    t1, flair, epi = (load_sample(name) for name in ("t1", "flair", "epi"))
    assert t1.spacing == pytest.approx((1, 1, 1), abs=1e-3)
    assert epi.spacing == pytest.approx((2.2, 2, 2), abs=1e-3)
    assert t1.unit == epi.unit == "mm"
    assert epi.time_step == pytest.approx(2.0)
    # The same slices of the same head.
    np.testing.assert_allclose(t1.affine, flair.affine, atol=1e-3)


@pytest.mark.corpus
def test_crop_lies_where_the_whole_volume_does(corpus: object) -> None:
    from pathlib import Path

    from napari_dran import read_volume

    whole, crop = read_volume(Path(str(corpus), "volumes", "stroke_T1.nii.gz")), load_sample("t1")
    np.testing.assert_array_equal(crop.data, whole.data[60:108])
    np.testing.assert_allclose(crop.affine @ [0, 5, 7, 1], whole.affine @ [60, 5, 7, 1], atol=1e-3)


def test_added_noise_is_known_and_always_the_same() -> None:
    noisy, clean = load_sample("t1-noisy"), load_sample("t1")
    noise = noisy.data - clean.data
    assert noise.std() == pytest.approx(SAMPLES["t1-noisy"].added_sigma, rel=0.005)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noisy.data.min() < 0  # not clipped
    np.testing.assert_array_equal(noisy.data, load_sample("t1-noisy").data)
    np.testing.assert_array_equal(noisy.affine, clean.affine)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="t1-noisy"):
        load_sample("knee")


def test_files_are_small_and_their_licences_named() -> None:
    files = [file for file in FOLDER.iterdir() if file.is_file()]
    assert sum(len(file.read_bytes()) for file in files) < 2_500_000
    readme = (FOLDER / "README.md").read_text()
    for file in {sample.file for sample in SAMPLES.values()}:
        assert f"`{file}`" in readme
