"""What may go in, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_dran.denoising import Denoiser
from napari_dran.errors import (
    InputError,
    WeightsError,
)
from napari_dran.volume import Volume

from .conftest import WINDOW, grey


def test_volumes(tenth) -> None:
    affine = np.diag([3.0, 2, 2, 1])
    volume = Volume(grey(3, 9, 9), "zyx", affine, "mm", name="scan", history=({"was": "read"},))
    result = tenth.run(volume, window=WINDOW)
    np.testing.assert_allclose(result.image.data, 0.9 * volume.data, rtol=1e-4)
    assert result.image.history == ({"was": "read"}, result.provenance.as_dict())
    assert result.noise.name == "scan noise"
    for made in (result.image, result.noise):
        assert (made.axes, made.unit) == ("zyx", "mm")
        np.testing.assert_array_equal(made.affine, affine)
    with pytest.raises(InputError, match="cannot be given too"):
        tenth.run(volume, axes="tyx")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((2, 2, 2, 8, 8)), "2-D, 3-D or 4-D"),
        (np.zeros((8, 8), complex), "magnitude"),
        (np.zeros((8, 8), object), r"dtype object.*astype"),
        (np.zeros((8, 8), bool), "bool mask"),
        (np.array([["a"]]), "dtype <U1"),
        (np.full((8, 8), np.nan), "no finite value"),
        (np.zeros((0, 8)), "with pixels"),
        ("scan.nii", r"'scan.nii'.*read_volume"),
        (Path("scan.nii"), r"'scan.nii'.*read_volume"),
        (np.ma.masked_array(np.zeros((8, 8)), np.eye(8)), r"mask.*filled"),
        (None, "2-D, 3-D or 4-D|dtype"),
    ],
)
def test_images_that_are_refused(tenth, image, message) -> None:
    with pytest.raises(InputError, match=message):
        tenth.run(image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": (5, 5)}, "lower bound"),
        ({"window": "brian"}, "There is no window 'brian'"),
        ({"window": "contrast-limits"}, "contrast limits of a layer"),
        ({"axis": 3}, "no slice axis 3"),
        ({"axis": -4}, "no slice axis -4"),
        ({"axis": "t"}, "no slice axis 't'"),
        ({"axis": "oblique"}, "no slice axis 'oblique'"),
        ({"axis": True}, "no slice axis True"),
        ({"axis": 1.0}, r"no slice axis 1\.0"),
        ({"axis": None}, "no slice axis None"),
        ({"axes": "zy"}, "do not fit"),
        ({"axes": "xyz"}, "do not fit"),
    ],
)
def test_arguments_that_are_refused(tenth, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        tenth.run(grey(3, 9, 9), **arguments)


def test_flat_images_have_one_slice_only(tenth) -> None:
    for axis in (0, "z", "axial"):
        assert tenth.plan(grey(9, 9), axis=axis).axis == "z"
    with pytest.raises(InputError, match="Expected 0, as it is a 2-D image"):
        tenth.run(grey(9, 9), axis=1)


def test_colour_needs_three_samples(colour_tenth) -> None:
    with pytest.raises(InputError, match="colour samples, got 2"):
        colour_tenth.run(grey(9, 9, 2), axes="yxs")


def test_weights_must_fit_the_image(tenth, colour_tenth) -> None:
    with pytest.raises(WeightsError, match=r"for grey images and .* colour.*dran-colour.*axes="):
        tenth.run(grey(9, 9, 3))
    with pytest.raises(WeightsError, match=r"for colour images and this one is grey.*dran-grey"):
        colour_tenth.run(grey(9, 9))


def test_unknown_weights_are_refused_at_once() -> None:
    with pytest.raises(WeightsError, match="dran-grey"):
        Denoiser("dran-gray")


def test_auto_weights() -> None:
    denoiser = Denoiser(device="cpu")
    assert denoiser.card(grey(9, 9)).name == "dran-grey"
    assert denoiser.card(grey(9, 9, 3)).name == "dran-colour"
    assert denoiser.card(grey(9, 9, 3), axes="zyx").name == "dran-grey"
