"""Volumes made up for tests of files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
