"""Every image that training reads is measured: formats, depths, volumes, and what fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_dran import Volume, write_volume
from napari_dran.errors import InputError
from napari_dran.training import data
from napari_dran.training.evaluation import Row, evaluate, score

GREY = np.random.default_rng(0).random((3, 20, 24), dtype=np.float32)
BYTES = (GREY[0] * 255).astype(np.uint8)


def nothing(noisy: np.ndarray, sigma: float) -> np.ndarray:
    return noisy


def save_nifti(path: Path, values: np.ndarray) -> None:
    """Save a volume (z, y, x) that lies as images are read: nothing is turned round."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.T, np.diag([-1, -1, 1, 1])), path)


def save_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def measure(folder: Path, **options: Any) -> list[Row]:
    return evaluate(folder, sigmas=(25,), method=nothing, **options)


def is_close(row: Row, clean: np.ndarray) -> bool:
    """Whether a row is that of a clean image, but for the rounding of float16."""
    expected = score(row.image, clean, 25, nothing)
    scores = (row.psnr, row.ssim, row.psnr_noisy, row.ssim_noisy)
    wanted = (expected.psnr, expected.ssim, expected.psnr_noisy, expected.ssim_noisy)
    return scores == pytest.approx(wanted, rel=1e-3)


def test_pngs_of_any_depth_keep_their_scale(tmp_path: Path) -> None:
    wide = (GREY[0] * 4000).astype(np.uint16)
    for name in ("a.png", "mri/b.png", "mri/deep/c.png"):
        save_png(tmp_path / name, BYTES)
    save_png(tmp_path / "mri" / "deep" / "d.PNG", wide)
    save_png(tmp_path / ".hidden.png", BYTES)
    (tmp_path / "manifest.csv").write_text("file,group")
    rows = measure(tmp_path, notice=pytest.fail)
    assert rows == [
        *(
            score(name, BYTES / np.float32(255), 25, nothing)
            for name in ("a.png", "mri/b.png", "mri/deep/c.png")
        ),
        score("mri/deep/d.PNG", wide / np.float32(65535), 25, nothing),
    ]
    assert [row.modality for row in rows] == ["images", "mri", "mri", "mri"]
    # The folder of a modality is a folder of images, too.
    assert [row.image for row in measure(tmp_path / "mri")] == [
        "b.png", "deep/c.png", "deep/d.PNG",
    ]  # fmt: skip


def test_volumes_are_measured_slice_by_slice(tmp_path: Path) -> None:
    values = GREY * 1000 - 300
    values[1] = 200
    save_nifti(tmp_path / "ct" / "deep" / "scan.nii.gz", values)
    calls: list[tuple[int, int]] = []
    rows = measure(tmp_path, progress=lambda *numbers: calls.append(numbers), failed=pytest.fail)
    assert [row.image for row in rows] == [
        "ct/deep/scan.nii.gz[0]", "ct/deep/scan.nii.gz[2]",
    ]  # fmt: skip
    assert {row.modality for row in rows} == {"ct"}
    low, high = values.min(), values.max()
    for row, plane in zip(rows, values[::2], strict=True):
        assert is_close(row, (plane - low) / (high - low))
    assert calls == [(1, 1)]


def test_8_bit_files_of_other_formats_keep_their_scale(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", BYTES // 2)
    (row,) = measure(tmp_path)
    assert (row.image, row.modality) == ("a.tif", "images")
    assert is_close(row, (BYTES // 2) / np.float32(255))


def test_dicom_series_are_named_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "mr").mkdir()
    write_volume(Volume((GREY * 1000).astype(np.int16)), tmp_path / "mr" / "scan")
    rows = measure(tmp_path, failed=pytest.fail)
    assert [row.image for row in rows] == [f"mr/scan/series-1[{number}]" for number in range(3)]
    assert all(20 < row.psnr < 22.5 for row in rows)


def test_at_most_100_slices_of_a_volume(tmp_path: Path) -> None:
    save_nifti(tmp_path / "long.nii", np.random.default_rng(0).random((150, 11, 11)))
    numbers = [int(row.image[len("long.nii[") : -1]) for row in measure(tmp_path)]
    assert len(numbers) == 100
    assert (numbers[0], numbers[-1]) == (0, 149)
    assert set(np.diff(numbers)) == {1, 2}


def test_one_file_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        save_nifti(tmp_path / f"{name}.nii", GREY[:2])
    seen: list[str] = []
    read = data.read_volume

    def told(path: Path, **options: Any) -> Volume:
        seen.append(f"read {path.name}")
        return read(path, **options)

    monkeypatch.setattr(data, "read_volume", told)
    measure(tmp_path, measured=lambda row: seen.append(row.image))
    assert seen == ["read a.nii", "a.nii[0]", "a.nii[1]", "read b.nii", "b.nii[0]", "b.nii[1]"]


def test_files_that_fail_are_told_once_and_the_others_go_on(tmp_path: Path) -> None:
    save_nifti(tmp_path / "a-small.nii", GREY[:, :, :9])
    (tmp_path / "b-damaged.nii.gz").write_bytes(b"hello")
    save_nifti(tmp_path / "c-flat.nii", np.full((3, 20, 24), 7, np.float32))
    save_nifti(tmp_path / "d-good.nii", GREY)
    failed: list[str] = []
    calls: list[tuple[int, int]] = []
    rows = measure(tmp_path, failed=failed.append, progress=lambda *n: calls.append(n))
    assert [row.image for row in rows] == [f"d-good.nii[{number}]" for number in range(3)]
    assert len(failed) == 3
    assert failed[0].startswith("a-small.nii is 9 x 20 pixels. Images of at least 11 x 11")
    assert "b-damaged.nii.gz" in failed[1]
    assert failed[2].startswith("c-flat.nii is all but constant")
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with pytest.raises(InputError, match="a-small"):
        measure(tmp_path)


def test_a_volume_counts_up_to_the_slice_that_fails(tmp_path: Path) -> None:
    save_nifti(tmp_path / "a.nii", GREY)
    calls = []

    def method(noisy: np.ndarray, sigma: float) -> np.ndarray:
        calls.append(sigma)
        if len(calls) > 3:
            raise MemoryError("too large")
        return noisy

    failed: list[str] = []
    rows = evaluate(tmp_path, sigmas=(10, 25), method=method, failed=failed.append)
    assert [(row.image, row.sigma) for row in rows] == [("a.nii[0]", 10), ("a.nii[0]", 25)]
    assert failed == ["a.nii: unexpected MemoryError: too large"]
    assert len(calls) == 4, "the slices after it are not tried"


def test_a_colour_volume_is_skipped_as_one(tmp_path: Path) -> None:
    save_png(tmp_path / "mri" / "a.png", BYTES)
    colour = np.random.default_rng(1).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "cells.tif", colour, photometric="rgb")
    assert len(measure(tmp_path)) == 4
    told: list[str] = []
    rows = evaluate(tmp_path, "dran-grey", (25,), device="cpu", notice=told.append)
    assert [row.image for row in rows] == ["mri/a.png"]
    assert len(told) == 1
    assert told[0].startswith("1 of 2 images are colour (images), which the weights 'dran-grey'")


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*none\. Name the folder"):
        measure(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match=r"Found no images in .* Expected files named \.nii\.gz,"):
        measure(tmp_path)
