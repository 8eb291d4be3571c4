"""Volume -> file -> Volume for every format, and the same place in every format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from napari_dran import InputError, Volume
from napari_dran.files import WRITABLE_SUFFIXES, read_volume, write_volume
from napari_dran.volume import affine_from_ras

ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
AXES = ("yx", "zyx", "tzyx", "czyx", "yxs", "zyxs")
DTYPES = ("int16", "uint8", "uint16", "float32")
STEP = {"software": "napari-dran", "version": "9.9", "weights": "dran-grey", "strength": 0.5}


def can_hold(suffix: str, axes: str, dtype: str) -> bool:
    """Whether a format says yes to a volume; otherwise it must say why not."""
    if suffix == ".png":
        return axes in ("yx", "yxs") and dtype in ("uint8", "uint16")
    if suffix in (".mgz", ".mgh"):
        return "s" not in axes
    if suffix in (".nii", ".nii.gz"):
        return "s" not in axes or dtype == "uint8"
    return True


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_round_trip(suffix, axes, dtype, make_volume, tmp_path):
    volume = make_volume(axes, dtype)
    path = tmp_path / f"image{suffix}"
    if not can_hold(suffix, axes, dtype):
        with pytest.raises(InputError, match=r"instead|convert"):
            write_volume(volume, path)
        assert list(tmp_path.iterdir()) == []
        return
    assert write_volume(volume, path) == path
    again = read_volume(path)
    data = np.asarray(again.data)
    expected = volume.data
    if suffix in (".mgz", ".mgh"):
        # A slice is a volume of one slice there, and every fourth axis is time.
        assert again.axes == ("tzyx" if axes[0] in "tc" else "zyx")
        data = data.reshape(expected.shape)
        assert dtype == "uint16" or data.dtype == dtype
    elif suffix in ITK and "s" in axes and dtype != "uint8":
        assert again.axes == "c" + axes[:-1]  # only bytes are taken for colour
        data = np.moveaxis(data, 0, -1)
        assert data.dtype == dtype
    else:
        assert again.axes == axes
        assert data.dtype == dtype
    np.testing.assert_array_equal(data, expected)
    if suffix != ".png":
        assert again.unit == "mm"
        np.testing.assert_allclose(again.spacing[-2:], volume.spacing[-2:], rtol=1e-6)
        assert again.time_step == (pytest.approx(1.75) if axes[0] == "t" else None)
    if "z" in axes and suffix != ".png":
        np.testing.assert_allclose(again.affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("axes", ["zyx", "tzyx"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".mgz"])
def test_same_place_in_every_format(suffix, axes, make_volume, oblique_affine, tmp_path):
    """A NIfTI file with rotated, flipped and permuted axes, written as something else."""
    raw = make_volume("zyx", "int16").data
    raw = np.stack([raw, raw + 1], -1) if axes == "tzyx" else raw
    nib.Nifti1Image(raw, oblique_affine).to_filename(tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    path = write_volume(volume, tmp_path / f"out{suffix}")
    # As SimpleITK reads it (NIfTI, NRRD, MetaImage), else nibabel (MGH).
    lps = np.diag([-1, -1, 1, 1]) @ oblique_affine
    if suffix == ".mgz":
        written = nib.load(path)
        value = np.asarray(written.dataobj)
        inverse = np.linalg.inv(written.affine) @ oblique_affine
    else:
        written = SimpleITK.ReadImage(str(path))
        value = SimpleITK.GetArrayFromImage(written)
        value = value.transpose(range(value.ndim)[::-1])
        space = written.GetDimension()
        matrix = np.eye(4)
        direction = np.reshape(written.GetDirection(), (space, space))[:3, :3]
        matrix[:3, :3] = direction * written.GetSpacing()[:3]
        matrix[:3, 3] = written.GetOrigin()[:3]
        inverse = np.linalg.inv(matrix) @ lps
    corners = np.array([(i, j, k) for i in (0, 4) for j in (0, 11) for k in (0, 13)])
    for corner in corners:
        index = (inverse @ [*corner, 1])[:3]
        np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
        found = value[tuple(np.rint(index).astype(int))]
        np.testing.assert_array_equal(found, raw[tuple(corner)])
    again = read_volume(path)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-4)
    np.testing.assert_array_equal(again.data, volume.data)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".mgz"])
def test_two_formats_and_back(suffix, make_volume, oblique_affine, tmp_path):
    """NIfTI -> other -> NIfTI leaves every voxel where it was in the world."""
    volume = make_volume("zyx", "int16", affine=affine_from_ras(oblique_affine))
    first = read_volume(write_volume(volume, tmp_path / "a.nii"))
    other = read_volume(write_volume(first, tmp_path / f"b{suffix}"))
    last = read_volume(write_volume(other, tmp_path / "c.nii"))
    np.testing.assert_array_equal(last.data, first.data)
    np.testing.assert_allclose(last.affine, first.affine, atol=1e-4)


@pytest.mark.parametrize(
    ("suffix", "axes"),
    [*((s, a) for s in (".nii", ".nrrd", ".mha", ".tif") for a in ("yx", "zyx")), (".png", "yx")],
)
def test_history_is_written(suffix, axes, make_volume, tmp_path):
    volume = make_volume(axes, "uint8", history=({"weights": "older"}, STEP))
    path = write_volume(volume, tmp_path / f"image{suffix}")
    assert written_history(path) == 1
    again = read_volume(path)
    np.testing.assert_array_equal(again.data, volume.data)
    # A second step is added to what the file says about the first.
    path = write_volume(replace(again, history=(STEP,)), path, overwrite=True)
    assert written_history(path) == 2


def written_history(path: Path) -> int:
    """Count the entries that name the software in a file, found by an independent reader."""
    if path.suffix == ".nii":
        header = nib.load(path).header
        assert b"napari-dran 9.9 dran-grey strength 0.5" in header["descrip"].item()
        return sum(b"dran-grey" in e.get_content() for e in header.extensions)
    if path.suffix in (".nrrd", ".mha"):
        return SimpleITK.ReadImage(str(path)).GetMetaData("napari-dran").count("9.9")
    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.text["napari-dran"].count("9.9")
    with tifffile.TiffFile(path) as file:
        return file.imagej_metadata["Info"].count("9.9")


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha", ".tif"])
@pytest.mark.parametrize("dtype", ["bool", "float16"])
def test_types_without_a_place_are_widened_or_kept(suffix, dtype, tmp_path):
    data = (np.arange(5 * 6 * 7) % 2).reshape(5, 6, 7).astype(dtype)
    again = read_volume(write_volume(Volume(data), tmp_path / f"image{suffix}"))
    np.testing.assert_array_equal(again.data, data)
    assert np.can_cast(data.dtype, again.dtype, "safe")


def test_micrometres(make_volume, tmp_path):
    volume = make_volume("zyx", "uint16", unit="um")
    for suffix, unit, factor in [(".nii", "um", 1), (".tif", "um", 1), (".nrrd", "mm", 1e-3)]:
        again = read_volume(write_volume(volume, tmp_path / f"image{suffix}"))
        assert again.unit == unit
        np.testing.assert_allclose(again.spacing, np.multiply(volume.spacing, factor), rtol=1e-6)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha", ".mgz"])
def test_cropped_and_moved_volumes_get_new_geometry(suffix, make_volume, oblique_affine, tmp_path):
    volume = make_volume("zyx", "int16", affine=affine_from_ras(oblique_affine))
    volume = read_volume(write_volume(volume, tmp_path / f"whole{suffix}"))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [1, 2, 3]
    part = replace(volume, data=volume.data[1:, 2:, 3:], affine=affine)
    again = read_volume(write_volume(part, tmp_path / f"part{suffix}"))
    np.testing.assert_allclose(again.affine, affine, atol=1e-4)
    np.testing.assert_array_equal(again.data, part.data)
    # From a 4-D file one time point, and the other way round.
    series = replace(volume, data=np.stack([volume.data] * 2), axes="tzyx", time_step=2.0)
    again = read_volume(write_volume(series, tmp_path / f"series{suffix}"))
    assert (again.axes, again.time_step) == ("tzyx", 2.0)
    single = replace(again, data=again.data[1], axes="zyx", time_step=None)
    again = read_volume(write_volume(single, tmp_path / f"single{suffix}"))
    assert again.axes == "zyx"
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-4)
