"""``napari-dran denoise`` on a folder of files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from napari_dran.cli.jobs import folder_jobs, is_folder_of_files
from napari_dran.cli.outputs import IMAGE, LABELS, RESIDUAL


@pytest.fixture
def tree(tmp_path: Path, save_nifti: Any, save_png: Any) -> Path:
    """A folder with two good images, a bad one, and a text file."""
    root = tmp_path / "in"
    (root / "a").mkdir(parents=True)
    save_nifti(root / "one.nii.gz")
    save_png(root / "a" / "two.png")
    (root / "bad.nii.gz").write_bytes(b"\x1f\x8bnot a scan")
    (root / "notes.txt").write_text("hello")
    return root


def found(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_mirrors_the_tree_and_outlives_a_bad_file(
    command: Any, tree: Path, grey: Path, tmp_path: Path
) -> None:
    out, residual = tmp_path / "out", tmp_path / "residual"
    result = command("denoise", tree, "-o", out, "--weights", grey, "--residual", residual)
    assert result.exit_code == 1, result.output
    assert found(out) == ["a/two.png", "one.nii.gz"]
    assert found(residual) == ["a/two.tif", "one.nii.gz"]
    assert "2 of 3 images, 1 failed" in result.stdout
    assert "1 other file" in result.stdout
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("Error: bad.nii.gz: ")


def test_all_good_is_exit_code_0(command: Any, tree: Path, grey: Path, tmp_path: Path) -> None:
    (tree / "bad.nii.gz").unlink()
    result = command("denoise", tree, "-o", tmp_path / "out", "--weights", grey)
    assert result.exit_code == 0, result.output


def test_no_result_replaces_another(tmp_path: Path) -> None:
    names = ("a.bmp", "a.jpg", "a.png", "a.tif", "b.jpg", "c.mnc", "c.nii.gz", "sub/a.jpg")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in names:
        (tmp_path / "in" / name).touch()
    out, residual = tmp_path / "out", tmp_path / "residual"
    outputs = {IMAGE: str(out), RESIDUAL: str(residual), LABELS: str(tmp_path / "labels")}
    jobs, _ = folder_jobs(tmp_path / "in", outputs)
    assert {job.name: job.targets[IMAGE].relative_to(out).as_posix() for job in jobs} == dict(
        zip(
            names,
            ("a.bmp.png", "a.jpg.png", "a.png", "a.tif", "b.png", "c.mnc.nii.gz", "c.nii.gz",
             "sub/a.png"),
            strict=True,
        )
    )  # fmt: skip
    for job in jobs:
        assert job.targets[LABELS].name == job.targets[IMAGE].name
    assert [job.targets[RESIDUAL].name for job in jobs] == [
        "a.bmp.tif", "a.jpg.tif", "a.png.tif", "a.tif", "b.tif", "c.mnc.nii.gz", "c.nii.gz",
        "a.tif",
    ]  # fmt: skip


def test_results_and_residuals_need_two_folders(refused: Any, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = refused("denoise", tree, "-o", out, "--residual", f"{out}/")
    assert "Choose two folders" in line
    assert not out.exists()


def test_files_that_exist_fail_one_by_one(
    command: Any, tree: Path, grey: Path, tmp_path: Path
) -> None:
    (tree / "bad.nii.gz").unlink()
    out = tmp_path / "out"
    out.mkdir()
    (out / "one.nii.gz").write_text("old")
    result = command("denoise", tree, "-o", out, "--weights", grey)
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert (out / "one.nii.gz").read_text() == "old"
    assert command("denoise", tree, "-o", out, "--weights", grey, "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", ["in", "in/out"])
def test_output_inside_the_input_is_refused(
    refused: Any, tree: Path, tmp_path: Path, name: str
) -> None:
    assert "inside the input" in refused("denoise", tree, "-o", tmp_path / name)


def test_output_that_is_a_file_is_refused(refused: Any, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file" in refused("denoise", tree, "-o", tmp_path / "file")


def test_folder_without_images(refused: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("hello")
    assert "no image" in refused("denoise", tmp_path / "empty", "-o", tmp_path / "out")


@pytest.mark.corpus
def test_each_dicom_series_becomes_a_folder(corpus: Path, tree: Path, tmp_path: Path) -> None:
    series = tree / "patient"
    series.mkdir()
    for file in sorted((corpus / "volumes" / "dicom_series_seg3d_MR").glob("*.dcm"))[:2]:
        shutil.copy(file, series)
    mixed = tree / "a"
    for name in ("emri_small.dcm", "693_UNCR.dcm"):
        shutil.copy(corpus / "volumes" / "dicom_single" / name, mixed)
    assert is_folder_of_files(tree)
    (series / "reports").mkdir()
    jobs, ignored = folder_jobs(tree, {IMAGE: str(tmp_path / "out")})
    targets = {str(job.targets[IMAGE].relative_to(tmp_path / "out")) for job in jobs}
    assert targets == {
        "one.nii.gz",
        "bad.nii.gz",
        "a/two.png",
        "patient",
        "a/emri_small",
        "a/693_UNCR",
    }
    assert ignored == 1


@pytest.mark.corpus
def test_series_beside_other_results_gets_a_folder_of_its_own(
    corpus: Path, tree: Path, tmp_path: Path
) -> None:
    file = corpus / "volumes" / "dicom_single" / "emri_small.dcm"
    shutil.copy(file, tree)
    shutil.copy(file, tree / "a")
    (tree / "a" / "two.png").unlink()
    outputs = {IMAGE: str(tmp_path / "out"), RESIDUAL: str(tmp_path / "residual")}
    jobs, _ = folder_jobs(tree, outputs)
    pairs = {(job.targets[IMAGE].name, job.targets[RESIDUAL].name) for job in jobs}
    assert ("emri_small", "emri_small.nii.gz") in pairs
    targets = [job.targets[IMAGE] for job in jobs]
    assert len(set(targets)) == len(jobs) == 4
    folders = [target for target in targets if not target.suffix]
    assert not any(a in b.parents for a in folders for b in folders)


@pytest.mark.corpus
def test_folder_of_dicom_only_is_one_image(corpus: Path) -> None:
    assert not is_folder_of_files(corpus / "volumes" / "dicom_series_seg3d_MR")
