"""MGH and MINC: FreeSurfer's and the Montreal Neurological Institute's formats."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_dran import FileReadError, InputError
from napari_dran.files import read_volume, write_volume
from napari_dran.volume import affine_from_ras


@pytest.mark.parametrize("suffix", [".mgz", ".mgh"])
@pytest.mark.parametrize("frames", [0, 3])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_header_is_kept(suffix, frames, dtype, oblique_affine, tmp_path):
    shape = (5, 6, 7, frames) if frames else (5, 6, 7)
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    image = nib.MGHImage(data, oblique_affine)
    image.header["tr"], image.header["te"], image.header["flip_angle"] = 2300, 2.9, 0.15
    image.to_filename(tmp_path / f"in{suffix}")
    volume = read_volume(tmp_path / f"in{suffix}")
    assert volume.dtype == dtype
    assert volume.dtype.isnative
    assert volume.axes == ("tzyx" if frames else "zyx")
    assert volume.time_step == (pytest.approx(2.3) if frames else None)
    write_volume(volume, tmp_path / f"out{suffix}")
    # .mgz only: nibabel itself leaves an .mgh file open
    second = read_volume(tmp_path / f"out{suffix}")
    for key in image.header:
        old, new = volume.source.header.header, second.source.header.header
        np.testing.assert_array_equal(old[key], new[key], err_msg=key)
    np.testing.assert_array_equal(second.data, volume.data)
    if suffix == ".mgz":
        again = nib.load(tmp_path / "out.mgz")
        np.testing.assert_array_equal(again.dataobj, data)
        np.testing.assert_allclose(again.affine, oblique_affine, atol=1e-5)


def test_place_against_nibabel(oblique_affine, tmp_path):
    data = np.arange(5 * 6 * 7).reshape(5, 6, 7).astype(np.int16)
    nib.MGHImage(data, oblique_affine).to_filename(tmp_path / "in.mgz")
    nib.Nifti1Image(data, oblique_affine).to_filename(tmp_path / "in.nii")
    first, second = read_volume(tmp_path / "in.mgz"), read_volume(tmp_path / "in.nii")
    np.testing.assert_array_equal(first.data, second.data)
    np.testing.assert_allclose(first.affine, second.affine, atol=1e-5)


def test_changed(make_volume, oblique_affine, tmp_path):
    volume = make_volume("tzyx", "float32", affine=affine_from_ras(oblique_affine))
    volume = read_volume(write_volume(volume, tmp_path / "a.mgz"))
    affine = volume.affine.copy()
    affine[:3, 3] += 3
    again = read_volume(
        write_volume(replace(volume, affine=affine, time_step=0.5), tmp_path / "b.mgz")
    )
    np.testing.assert_allclose(again.affine, affine, atol=1e-5)
    assert again.time_step == 0.5


def test_types_without_a_place(make_volume, tmp_path):
    with pytest.raises(InputError, match=r"float64.*\.nii\.gz"):
        write_volume(make_volume("zyx", "float64"), tmp_path / "a.mgz")
    with pytest.raises(InputError, match="colour"):
        write_volume(make_volume("zyxs", "uint8"), tmp_path / "a.mgz")


def test_damaged(tmp_path):
    nib.MGHImage(np.ones((9, 9, 9), np.float32), np.eye(4)).to_filename(tmp_path / "a.mgz")
    content = (tmp_path / "a.mgz").read_bytes()
    (tmp_path / "cut.mgz").write_bytes(content[: len(content) // 2])
    (tmp_path / "cut.mgh").write_bytes(content)
    for name in ("cut.mgz", "cut.mgh"):
        with pytest.raises(FileReadError, match=f"Could not read .*{name}"):
            read_volume(tmp_path / name)


def minc_files():
    """The MINC files that come with nibabel."""
    return Path(nib.__file__).parent / "tests" / "data"


@pytest.mark.parametrize(
    ("name", "axes", "shape"),
    [("tiny.mnc", "zyx", (10, 20, 20)), ("minc1_4d.mnc", "tzyx", (2, 10, 20, 20))],
)
def test_minc1(name, axes, shape, tmp_path):
    path = minc_files() / name
    volume = read_volume(path)
    assert (volume.axes, volume.shape, volume.dtype) == (axes, shape, np.float32)
    # Against nibabel, through an index that is turned into a place and back.
    image = nib.load(path)
    index = np.linalg.inv(image.affine) @ [-16, -18, -6, 1]
    expected = np.asarray(image.dataobj)[(..., *np.rint(index[:3]).astype(int))]
    index = np.linalg.inv(volume.affine) @ [-6, 18, 16, 1]
    found = volume.data[(..., *np.rint(index[:3]).astype(int))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    again = read_volume(write_volume(volume, tmp_path / "out.nii"))
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.affine, volume.affine)
    image.dataobj.minc_file._mincfile.close()


def test_minc2_needs_h5py(tmp_path, monkeypatch):
    (tmp_path / "a.mnc").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileReadError, match="pip install h5py"):
        read_volume(tmp_path / "a.mnc")


def test_damaged_minc(tmp_path):
    (tmp_path / "a.mnc").write_bytes(b"this is no image\n" * 10)
    with pytest.raises(FileReadError, match="Could not read"):
        read_volume(tmp_path / "a.mnc")
