"""NIfTI: scaled values, colours, units, and files that are damaged."""

from __future__ import annotations

import gzip
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from napari_dran import FileReadError, InputError
from napari_dran.files import read_volume, write_volume

from .conftest import assert_same_file


@pytest.mark.parametrize(
    ("dtype", "slope", "inter", "expected"),
    [("int16", 0.1, -7.0, "float64"), ("uint8", 2.2, 0.0, "float64"),
     ("int32", 1e-3, 0.0, "float64"), ("int16", 1e-3, 1e6, "float64"),
     ("float32", 2.0, 0.0, "float32"), ("int16", 1.0, -1024.0, "float32"),
     ("uint8", 0.25, 3.5, "float32")],
)  # fmt: skip
def test_scaled_values(save, tmp_path, dtype, slope, inter, expected):
    top = np.iinfo(dtype).max if dtype != "float32" else 1000
    raw = np.linspace(0, top, 5 * 6 * 7).reshape(5, 6, 7).astype(dtype)
    image = nib.Nifti1Image(raw, np.eye(4))
    image.header.set_slope_inter(slope, inter)
    image.to_filename(tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    assert volume.dtype == expected
    expected_values = nib.load(tmp_path / "in.nii").get_fdata()
    np.testing.assert_array_equal(np.sort(volume.data.ravel()), np.sort(expected_values.ravel()))
    # Unchanged values go back to the file's own integers ...
    again = nib.load(write_volume(volume, tmp_path / "same.nii"))
    if dtype != "float32":
        assert again.get_data_dtype() == dtype
        np.testing.assert_array_equal(again.dataobj.get_unscaled(), raw)
    # ... as SimpleITK reads them too ...
    other = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "same.nii")))
    np.testing.assert_allclose(other.T, expected_values, rtol=1e-5, atol=1e-5 * abs(inter))
    # ... and changed ones are written as they are.
    changed = volume.with_data(volume.data + np.float32(slope / 3))
    again = nib.load(write_volume(changed, tmp_path / "changed.nii"))
    assert again.get_data_dtype() == expected
    np.testing.assert_array_equal(read_volume(tmp_path / "changed.nii").data, changed.data)


def test_scaled_floats_with_nan_and_large_values(tmp_path):
    raw = np.full((5, 6, 7), np.nan, np.float32)
    for value, dtype in [(np.nan, "float32"), (np.inf, "float32"), (1e38, "float64")]:
        raw[0, 0, 0] = value
        image = nib.Nifti1Image(raw, np.eye(4))
        image.header.set_slope_inter(10, 0)
        image.to_filename(tmp_path / "in.nii")
        volume = read_volume(tmp_path / "in.nii")
        assert volume.dtype == dtype
        again = read_volume(write_volume(volume, tmp_path / "out.nii", overwrite=True))
        np.testing.assert_array_equal(again.data, volume.data)


@pytest.mark.parametrize("samples", ["RGB", "RGBA"])
def test_colour(tmp_path, samples, oblique_affine):
    values = np.random.default_rng(0).integers(0, 255, (5, 6, 7, len(samples)), np.uint8)
    raw = values.view([(name, "u1") for name in samples])[..., 0]
    nib.Nifti1Image(raw, oblique_affine).to_filename(tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    assert volume.axes == "zyxs"
    assert volume.shape[-1] == len(samples)
    assert_same_file(tmp_path / "in.nii", write_volume(volume, tmp_path / "out.nii"))
    with pytest.raises(InputError, match=r"uint8 only.*float32.*\.tif"):
        write_volume(volume.with_data(volume.data.astype("float32")), tmp_path / "float.nii")


@pytest.mark.parametrize(
    ("code", "unit", "factor"), [(1, "mm", 1000), (2, "mm", 1), (3, "um", 1), (0, "mm", 1)]
)
def test_spatial_units(save, tmp_path, code, unit, factor):
    path = save(np.zeros((5, 6, 7), np.uint8), np.diag([2.0, 3, 4, 1]), xyzt_units=code)
    volume = read_volume(path)
    assert volume.unit == unit
    np.testing.assert_allclose(volume.spacing, np.multiply([4, 3, 2], factor))
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii"))
    affine = volume.affine.copy()
    affine[:3, 3] += 7 * factor
    again = read_volume(write_volume(replace(volume, affine=affine), tmp_path / "moved.nii"))
    np.testing.assert_allclose(again.affine, affine, rtol=1e-6)
    assert again.unit == unit


@pytest.mark.parametrize(
    ("code", "seconds"), [(8, 3.0), (16, 3e-3), (24, 3e-6), (0, 3.0), (32, None)]
)
def test_time_units(save, tmp_path, code, seconds):
    path = save(np.zeros((5, 6, 7, 2), np.uint8), xyzt_units=2 + code,
                pixdim=[1, 1, 1, 1, 3, 0, 0, 0])  # fmt: skip
    volume = read_volume(path)
    assert volume.time_step == pytest.approx(seconds)
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii"))
    again = read_volume(write_volume(replace(volume, time_step=4.5), tmp_path / "slower.nii"))
    assert again.time_step == pytest.approx(4.5)


def test_truncated(save, tmp_path):
    path = save(np.random.default_rng(0).integers(0, 99, (20, 20, 20)).astype(np.int16))
    content = path.read_bytes()
    for name, part in [
        ("cut.nii", content[:-1000]),
        ("head.nii", content[:100]),
        ("empty.nii", b""),
        ("cut.nii.gz", gzip.compress(content)[:-1000]),
        ("not.nii.gz", content),
        ("text.nii", b"this is no image\n" * 100),
    ]:
        (tmp_path / name).write_bytes(part)
        with pytest.raises(FileReadError, match=name) as caught:
            read_volume(tmp_path / name)
        assert "Could not read" in str(caught.value)
        assert "\n" not in str(caught.value)
        if name == "cut.nii":
            assert "Expected 16000 bytes, got 15000 bytes" in str(caught.value)


def test_what_is_not_an_image(save, tmp_path):
    complex_path = save(np.zeros((5, 6, 7), np.complex64), name="complex.nii")
    with pytest.raises(FileReadError, match="complex"):
        read_volume(complex_path)
    line = save(np.zeros(5, np.int16), name="line.nii")
    with pytest.raises(FileReadError, match="1-D"):
        read_volume(line)
    five = save(np.zeros((5, 6, 7, 2, 3), np.int16), name="five.nii")
    with pytest.raises(FileReadError, match=r"5 axes.*\(5, 6, 7, 2, 3\)"):
        read_volume(five)
