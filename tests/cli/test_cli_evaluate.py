"""``napari-dran evaluate``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from napari_dran.training import evaluation

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


def test_volumes_beside_pictures(
    command: Any, images: Path, grey: Path, tmp_path: Path, save_nifti: Any
) -> None:
    save_nifti(images / "scan.nii.gz")
    (images / "broken.nii").write_bytes(b"hello")
    table = tmp_path / "scores.csv"
    result = command("evaluate", images, "--weights", grey, "--sigma", 25, "--csv", table)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "broken.nii" in errors[0]
    assert "1 of 5 images are colour (dermatology)" in result.stderr
    assert "Measured 7 images, 1 failed." in result.stdout
    with table.open(newline="") as file:
        rows = [(row["image"], row["modality"]) for row in csv.DictReader(file)]
    slices = [(f"scan.nii.gz[{number}]", "images") for number in range(5)]
    assert rows == [*slices, ("mri/a.png", "mri"), ("mri/b.png", "mri")]
    counts = [line.split()[:2] for line in result.stdout.splitlines()[1:4]]
    assert counts == [["images", "5"], ["mri", "2"], ["radiology", "2"]]


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
    assert "There is no folder" in refused("evaluate", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "Found no images" in refused("evaluate", tmp_path / "empty")
    assert "does not exist" in refused("evaluate", images, "--csv", tmp_path / "no" / "o.csv")
    (tmp_path / "old.csv").write_text("old")
    assert "--overwrite" in refused("evaluate", images, "--csv", tmp_path / "old.csv")
    assert "ensemble of 1 to 8" in refused("evaluate", images, "--ensemble", 9)
    assert "0 or more" in refused("evaluate", images, "--weights", grey, "--sigma", -1)
    assert "expected one that denoises" in refused("evaluate", images, "--weights", "unet-nuclei")
    assert "folder" in refused("evaluate", images, "--weights", images / "mri")


def test_a_bad_image_does_not_stop_the_others(
    command: Any, images: Path, grey: Path, tmp_path: Path, save_png: Any
) -> None:
    (images / "mri" / "a.png").write_bytes(b"hello")
    save_png(images / "mri" / "z.png", side=9)
    table = tmp_path / "scores.csv"
    words = ["--weights", grey, "--sigma", 25, "--csv", table]
    result = command("evaluate", images, *words)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    assert "a.png" in errors[0]
    assert "mri/z.png is 13 x 9 pixels" in errors[1]
    assert "Measured 1 images, 2 failed." in result.stdout
    assert [line.split(",")[0] for line in table.read_text().splitlines()[1:]] == ["mri/b.png"]
    quiet = command("evaluate", images, *words, "--overwrite", "--quiet")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr.splitlines()) == (1, "", errors)


def test_no_image_can_be_measured(command: Any, tmp_path: Path, grey: Path, save_png: Any) -> None:
    save_png(tmp_path / "images" / "mri" / "z.png", side=9)
    table = tmp_path / "scores.csv"
    result = command("evaluate", tmp_path / "images", "--weights", grey, "--csv", table)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "None of the images" in result.stderr.splitlines()[-1]
    assert not table.exists()


def test_ctrl_c_keeps_what_was_measured(
    command: Any, images: Path, grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = evaluation.score

    def interrupted(name: str, *rest: Any) -> evaluation.Row:
        if name == "mri/b.png":
            raise KeyboardInterrupt
        return score(name, *rest)

    monkeypatch.setattr(evaluation, "score", interrupted)
    table = tmp_path / "scores.csv"
    result = command("evaluate", images, "--weights", grey, "--sigma", 25, "--csv", table)
    assert result.exit_code == 130
    assert "Ended early" in result.stderr
    assert "Wrote 1 rows" in result.stdout
    assert [line.split(",")[0] for line in table.read_text().splitlines()[1:]] == ["mri/a.png"]
