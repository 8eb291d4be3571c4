"""Volumes made up for tests of files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_dran import Volume

LENGTHS = {"t": 3, "c": 2, "z": 5, "y": 12, "x": 14, "s": 3}


@pytest.fixture(scope="session")
def oblique_affine() -> np.ndarray:
    """An affine in RAS, as nibabel has it: rotated about two axes, axes permuted, two flipped."""
    turn, tilt = np.deg2rad(20), np.deg2rad(-12)
    about_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    permuted = np.array([[0, 0, 2.5], [-0.75, 0, 0], [0, -0.5, 0]])
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ about_x @ permuted
    affine[:3, 3] = -30, 17.5, 8
    return affine


@pytest.fixture(scope="session")
def make_volume() -> Callable[..., Volume]:
    """Return a function that makes a volume of given axes and dtype, of uneven lengths."""

    def make(axes: str = "zyx", dtype: Any = "int16", **attributes: Any) -> Volume:
        rng = np.random.default_rng(7)
        shape = tuple(LENGTHS[letter] for letter in axes)
        dtype = np.dtype(dtype)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            data = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
            data.flat[:2] = info.min, info.max
        else:
            data = rng.normal(0, 1000, shape).astype(dtype)
        attributes.setdefault("unit", "mm")
        attributes.setdefault("affine", np.diag([2.5, 0.75, 0.5, 1.0]))
        if axes[0] == "t":
            attributes.setdefault("time_step", 1.75)
        return Volume(data, axes, **attributes)

    return make


@pytest.fixture
def knee(corpus: Path, tmp_path: Path) -> Path:
    """Return a copy of a real MR series of seven slices."""
    return shutil.copytree(corpus / "volumes" / "dicom_series_seg3d_MR", tmp_path / "series")


@pytest.fixture
def save(tmp_path: Path, oblique_affine: np.ndarray) -> Callable[..., Path]:
    """Write a NIfTI file with nibabel, after some changes of its header."""

    def write(
        data: Any,
        affine: np.ndarray = oblique_affine,
        name: str = "in.nii",
        second: bool = False,
        endian: str = "<",
        **fields: Any,
    ) -> Path:
        header_class = nib.Nifti2Header if second else nib.Nifti1Header
        header = header_class(endianness=endian)
        header.set_data_dtype(data.dtype)
        image = (nib.Nifti2Image if second else nib.Nifti1Image)(data, affine, header)
        for key, value in fields.items():
            image.header[key] = value
        image.to_filename(tmp_path / name)
        return tmp_path / name

    return write


def assert_same_file(first: Path, second: Path) -> None:
    """Same header to the letter, extensions and values."""
    one, other = nib.load(first), nib.load(second)
    assert one.header.endianness == other.header.endianness
    assert type(one.header) is type(other.header)
    for key in one.header:
        if key not in ("vox_offset",):
            np.testing.assert_array_equal(one.header[key], other.header[key], err_msg=key)
    np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
    codes = [[(e.get_code(), e.get_content()) for e in i.header.extensions] for i in (one, other)]
    assert codes[0] == codes[1]
