"""``napari-dran evaluate``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

COLUMNS = ["image", "modality", "sigma", "psnr", "ssim", "psnr_noisy", "ssim_noisy"]


@pytest.fixture
def images(tmp_path: Path, save_png: Any) -> Path:
    """Two grey images and one in colour."""
    root = tmp_path / "images"
    save_png(root / "mri" / "b.png")
    save_png(root / "mri" / "a.png")
    save_png(root / "dermatology" / "c.png", colour=True)
    return root


def test_csv(command: Any, images: Path, grey: Path, tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    words = ["--weights", grey, "--sigma", 10, "--sigma", 25, "--sigma", 12.5, "--csv", table]
    result = command("evaluate", images, *words)
    assert result.exit_code == 0, result.output
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert [(row["image"], row["modality"], row["sigma"]) for row in rows] == [
        (f"mri/{name}.png", "mri", sigma) for name in "ab" for sigma in ("10", "25", "12.5")
    ]
    assert all(float(row[key]) for row in rows for key in COLUMNS[3:])
    # Colour images are skipped, which is said once.
    assert "1 of 3 images are colour (dermatology)" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "mri" in result.stdout
    assert "radiology" in result.stdout


def test_default_sigmas(command: Any, images: Path, grey: Path, tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    result = command("evaluate", images, "--weights", grey, "--csv", table, "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert len(table.read_text().splitlines()) == 1 + 2 * 3


def test_no_image_of_that_kind(refused: Any, images: Path, colour: Path) -> None:
    (images / "dermatology" / "c.png").unlink()
    assert "--weights auto" in refused("evaluate", images, "--weights", colour)


def test_bad_input(refused: Any, images: Path, grey: Path, tmp_path: Path) -> None:
    assert "modality" in refused("evaluate", tmp_path / "none")
    assert "does not exist" in refused("evaluate", images, "--csv", tmp_path / "no" / "o.csv")
    (tmp_path / "old.csv").write_text("old")
    assert "--overwrite" in refused("evaluate", images, "--csv", tmp_path / "old.csv")
    assert "ensemble of 1 to 8" in refused("evaluate", images, "--ensemble", 9)
    assert "0 or more" in refused("evaluate", images, "--weights", grey, "--sigma", -1)
    (images / "mri" / "a.png").write_bytes(b"hello")
    assert "a.png" in refused("evaluate", images, "--weights", grey)
