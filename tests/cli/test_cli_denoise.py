"""``napari-dran denoise``: what it writes and what it keeps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_dran import Denoiser, read_volume


def voxels(path: Path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


def test_file_keeps_geometry_and_type(command: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.nii.gz"
    result = command("denoise", scan, "-o", out, "--weights", grey, "--device", "cpu")
    assert result.exit_code == 0, result.output
    before, after = nib.load(scan), nib.load(out)
    assert after.shape == before.shape
    assert after.get_data_dtype() == before.get_data_dtype()
    np.testing.assert_array_equal(after.affine, before.affine)
    assert not np.array_equal(voxels(scan), voxels(out))


@pytest.mark.corpus
def test_scaled_values_outside_the_window_stay_exactly_as_they_were(
    command: Any, corpus: Path, grey: Path, tmp_path: Path
) -> None:
    # A thresholded angiography: uint8 with a slope that no short number is.
    whole = nib.load(corpus / "volumes" / "CT_AVM.nii.gz")
    part = (slice(100, 148), slice(100, 140), slice(60, 64))
    raw = np.asarray(whole.dataobj.get_unscaled()[part])
    cropped = nib.Nifti1Image(raw, whole.affine)
    cropped.header.set_slope_inter(whole.dataobj.slope, whole.dataobj.inter)
    cropped.to_filename(tmp_path / "in.nii.gz")
    used = Denoiser(grey, device="cpu").run(read_volume(tmp_path / "in.nii.gz")).window
    out = tmp_path / "out.nii.gz"
    result = command("denoise", tmp_path / "in.nii.gz", "-o", out, "--weights", grey)
    assert result.exit_code == 0, result.output
    before, after = nib.load(tmp_path / "in.nii.gz").get_fdata(), nib.load(out).get_fdata()
    outside = (before < used.low) | (before > used.high)
    assert outside.any()
    np.testing.assert_array_equal(after[outside], before[outside])
    assert not np.array_equal(after, before)


def test_says_nothing_in_a_pipe(command: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    result = command(
        "denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--window", "full"
    )
    assert (result.stdout, "\r" in result.stderr, "\x1b" in result.stderr) == ("", False, False)


def test_quiet_says_nothing_at_all(command: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    result = command("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--quiet")
    assert result.output == ""


def test_residual_is_before_minus_after(
    command: Any, scan: Path, grey: Path, tmp_path: Path
) -> None:
    out, residual = tmp_path / "out.nii.gz", tmp_path / "residual.nii.gz"
    words = ["--residual", residual, "--strength", "0.5", "--window", "full"]
    result = command("denoise", scan, "-o", out, "--weights", grey, *words)
    assert result.exit_code == 0, result.output
    taken = voxels(residual)
    assert taken.dtype == np.float32
    difference = voxels(scan).astype(float) - voxels(out)
    assert np.abs(difference - taken).max() <= 0.51
    np.testing.assert_array_equal(nib.load(residual).affine, nib.load(scan).affine)


def test_ensemble(command: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.nii.gz"
    result = command("denoise", scan, "-o", out, "--weights", grey, "--ensemble", 3)
    assert result.exit_code == 0, result.output
    run = Denoiser(grey, device="cpu").run
    expected = run(read_volume(scan), ensemble=3).image.data
    np.testing.assert_array_equal(read_volume(out).data, expected)
    assert (expected != run(read_volume(scan)).image.data).any()
    assert b"ensemble 3" in nib.load(out).header["descrip"].item()


def test_strength_zero_changes_nothing(
    command: Any, scan: Path, grey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.nii"
    assert command("denoise", scan, "-o", out, "--weights", grey, "--strength", 0).exit_code == 0
    np.testing.assert_array_equal(voxels(out), voxels(scan))


def test_window_with_negative_bound_leaves_the_rest(
    command: Any, scan: Path, grey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.nii"
    result = command("denoise", scan, "-o", out, "--weights", grey, "--window", "-50:150")
    assert result.exit_code == 0, result.output
    before, after = voxels(scan), voxels(out)
    outside = (before < -50) | (before > 150)
    np.testing.assert_array_equal(after[outside], before[outside])


@pytest.mark.parametrize("axis", ["1", "-1", "sagittal"])
def test_other_axes(command: Any, scan: Path, grey: Path, tmp_path: Path, axis: str) -> None:
    out = tmp_path / "out.nii"
    result = command("denoise", scan, "-o", out, "--weights", grey, "--axis", axis)
    assert result.exit_code == 0, result.output


def test_existing_folder_gets_the_name_of_the_input(
    command: Any, scan: Path, grey: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    result = command("denoise", scan, "-o", tmp_path / "results", "--weights", grey)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "results" / scan.name).is_file()


def test_overwrite(command: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.nii"
    out.write_text("old")
    result = command("denoise", scan, "-o", out, "--weights", grey, "--overwrite")
    assert result.exit_code == 0, result.output
    assert voxels(out).shape == voxels(scan).shape


def test_colour_picture(command: Any, save_png: Any, colour: Path, tmp_path: Path) -> None:
    picture = save_png(tmp_path / "cells.png", colour=True)
    out = tmp_path / "out.png"
    result = command("denoise", picture, "-o", out, "--weights", colour)
    assert result.exit_code == 0, result.output
    with Image.open(out) as image:
        assert (image.mode, image.size) == ("RGB", (28, 24))


@pytest.fixture
def series(corpus: Path, tmp_path: Path) -> Path:
    """Two slices of a real DICOM series."""
    source = tmp_path / "series"
    source.mkdir()
    for file in sorted((corpus / "volumes" / "dicom_series_seg3d_MR").glob("*.dcm"))[:2]:
        shutil.copy(file, source)
    return source


@pytest.mark.corpus
def test_dicom_folder_to_dicom_folder(
    command: Any, series: Path, grey: Path, tmp_path: Path
) -> None:
    import pydicom

    # A slash at the end, as the shell completes it, changes nothing.
    words = ["denoise", f"{series}/", "-o", f"{tmp_path}/out/", "--weights", grey]
    result = command(*words)
    assert result.exit_code == 0, result.output
    written = sorted((tmp_path / "out").iterdir())
    assert len(written) == 2
    before, after = pydicom.dcmread(min(series.iterdir())), pydicom.dcmread(written[0])
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.Rows == before.Rows
    again = command(*words)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr


@pytest.mark.corpus
def test_dicom_with_residual(series: Path, tmp_path: Path) -> None:
    from napari_dran.cli.jobs import single_job
    from napari_dran.cli.outputs import IMAGE, RESIDUAL

    folder = tmp_path / "there"
    folder.mkdir()
    job = single_job(series, {IMAGE: str(tmp_path / "out.nii.gz"), RESIDUAL: f"{folder}/"})
    assert job.targets[RESIDUAL] == folder / "series.nii.gz"
    file = min(series.iterdir())
    assert single_job(file, {IMAGE: str(folder)}).targets[IMAGE] == folder / file.stem
