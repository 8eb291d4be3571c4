"""Bad input on the command line: exit code 2, one line that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_missing_file(refused: Any, tmp_path: Path) -> None:
    line = refused("denoise", tmp_path / "none.nii.gz", "-o", tmp_path / "o.nii.gz")
    assert "There is no file" in line
    assert "Check" in line


def test_missing_file_for_info(refused: Any, tmp_path: Path) -> None:
    assert "There is no file" in refused("info", tmp_path / "none.nii.gz")


def test_truncated_nifti(refused: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    scan.write_bytes(scan.read_bytes()[:300])
    line = refused("denoise", scan, "-o", tmp_path / "o.nii.gz", "--weights", grey)
    assert scan.name in line
    assert "cut short" in line
    assert not (tmp_path / "o.nii.gz").exists()


def test_dicom_folder_without_images(refused: Any, tmp_path: Path) -> None:
    folder = tmp_path / "dicom"
    folder.mkdir()
    line = refused("denoise", folder, "-o", tmp_path / "out")
    assert "no image" in line


@pytest.mark.corpus
def test_two_series(refused: Any, corpus: Path, tmp_path: Path) -> None:
    line = refused("denoise", corpus / "volumes" / "dicom_single", "-o", tmp_path / "out")
    assert "--series" in line


def test_unknown_weights(refused: Any, scan: Path, tmp_path: Path) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", "dran-blue")
    assert "dran-blue" in line
    assert "dran-grey" in line
    assert "dran-colour" in line


def test_weights_that_are_not_safetensors(refused: Any, scan: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"hello")
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", wrong)
    assert "safetensors" in line


@pytest.mark.parametrize("window", ["200:100", "5:5", "nan:1"])
def test_empty_window(refused: Any, scan: Path, grey: Path, tmp_path: Path, window: str) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--window", window)
    assert "window" in line


def test_unknown_window_lists_the_known(
    refused: Any, scan: Path, grey: Path, tmp_path: Path
) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--window", "knee")
    assert "percentile" in line


@pytest.mark.parametrize("axis", ["3", "up"])
def test_axis_out_of_range(refused: Any, scan: Path, grey: Path, tmp_path: Path, axis: str) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--axis", axis)
    assert "coronal" in line


def test_ensemble_out_of_range(refused: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--ensemble", 0)
    assert "ensemble of 1 to 8" in line


def test_strength_out_of_range(refused: Any, scan: Path, grey: Path, tmp_path: Path) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey, "--strength", 3)
    assert "strength" in line


def test_batch_below_one(refused: Any, scan: Path, tmp_path: Path) -> None:
    assert "batch" in refused("denoise", scan, "-o", tmp_path / "o.nii", "--batch", 0)


def test_cuda_where_there_is_none(
    refused: Any, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--device", "cuda")
    assert "cpu" in line


def test_output_folder_missing(refused: Any, scan: Path, tmp_path: Path) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "none" / "o.nii")
    assert "does not exist" in line


def test_output_exists(refused: Any, scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.nii"
    out.write_text("precious")
    assert "--overwrite" in refused("denoise", scan, "-o", out)
    assert out.read_text() == "precious"


def test_output_is_the_input(refused: Any, scan: Path, tmp_path: Path) -> None:
    assert "input itself" in refused("denoise", scan, "-o", scan, "--overwrite")
    assert "input itself" in refused("denoise", scan, "-o", tmp_path, "--overwrite")


@pytest.mark.parametrize("name", ["out", "out.dcm", "out.xyz"])
def test_output_of_no_known_format(refused: Any, scan: Path, tmp_path: Path, name: str) -> None:
    assert ".nii.gz" in refused("denoise", scan, "-o", tmp_path / name)


def test_residual_as_png(refused: Any, scan: Path, tmp_path: Path) -> None:
    words = ["-o", tmp_path / "o.nii", "--residual", tmp_path / "r.png"]
    assert "negative" in refused("denoise", scan, *words)


def test_residual_at_the_same_place(refused: Any, scan: Path, tmp_path: Path) -> None:
    words = ["-o", tmp_path / "o.nii", "--residual", tmp_path / "o.nii"]
    assert "two names" in refused("denoise", scan, *words)


def test_colour_weights_on_grey(refused: Any, scan: Path, colour: Path, tmp_path: Path) -> None:
    line = refused("denoise", scan, "-o", tmp_path / "o.nii", "--weights", colour)
    assert "auto" in line


def test_grey_weights_on_colour(refused: Any, save_png: Any, grey: Path, tmp_path: Path) -> None:
    picture = save_png(tmp_path / "cells.png", colour=True)
    line = refused("denoise", picture, "-o", tmp_path / "o.png", "--weights", grey)
    assert "auto" in line


def test_all_nan(refused: Any, grey: Path, tmp_path: Path) -> None:
    import nibabel as nib

    path = tmp_path / "nan.nii"
    nib.save(nib.Nifti1Image(np.full((9, 9, 2), np.nan, np.float32), np.eye(4)), path)
    assert "finite" in refused("denoise", path, "-o", tmp_path / "o.nii", "--weights", grey)


def test_disk_full(
    refused: Any, scan: Path, grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    import nibabel as nib

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nib.Nifti1Image, "to_filename", full)
    out = tmp_path / "o.nii"
    line = refused("denoise", scan, "-o", out, "--weights", grey, "--quiet")
    assert "disk is full" in line
    assert not out.exists()


def test_unknown_option_and_command(refused: Any, scan: Path) -> None:
    assert "--colour" in refused("denoise", scan, "--colour", "red")
    assert "paint" in refused("paint", scan)
    assert "--output" in refused("denoise", scan)


def test_debug_lets_the_traceback_pass(command: Any, tmp_path: Path) -> None:
    from napari_dran.errors import FileReadError

    for words in (("--debug", "info"), ("info", "--debug")):
        result = command(*words, tmp_path / "none.nii")
        assert isinstance(result.exception, FileReadError)


def test_unexpected_errors_are_one_line_too(
    refused: Any, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.cli import info

    def broken(volume: object) -> dict[str, str]:
        raise KeyError("two\nlines")

    monkeypatch.setitem(info.__globals__, "describe", broken)
    assert "--debug" in refused("info", scan)


def test_ctrl_c_is_130_and_leaves_nothing(
    command: Any, scan: Path, grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.denoising import Denoiser

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Denoiser, "run", interrupted)
    result = command("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey)
    assert result.exit_code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == [scan.name]
