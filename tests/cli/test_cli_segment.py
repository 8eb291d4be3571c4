"""``napari-dran segment``: label images of files and folders, and their table."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from napari_dran import Segmenter, Volume, read_volume, weights, write_volume
from napari_dran.analysis import runner

pytestmark = pytest.mark.corpus


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.mode.startswith("I;16")
        return np.asarray(image)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def found(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def flair(corpus: Path, tmp_path: Path) -> Volume:
    """Part of a real FLAIR scan, which lies obliquely."""
    scan = read_volume(corpus / "volumes" / "stroke_T1.nii.gz")
    shift = np.eye(4)
    shift[:3, 3] = 3, 40, 50
    return Volume(
        np.ascontiguousarray(scan.data[3:6, 40:100, 50:102]), "zyx", scan.affine @ shift, scan.unit
    )


def test_folder_of_pictures_gives_label_images_of_16_bits(
    command: Any, brains: Path, unet: Path, tmp_path: Path
) -> None:
    (brains / "bad.png").write_bytes(b"no picture")
    (brains / "notes.txt").write_text("hello")
    out, table = tmp_path / "out", tmp_path / "t.csv"
    result = command("segment", brains, "-o", out, "--weights", unet, "--table", table)
    assert result.exit_code == 1, result.output
    assert found(out) == ["a.png", "c.png", "deep/b.png"]
    assert result.stdout == "Segmented 3 of 4 images, 1 failed. 1 other files were left out.\n"
    assert result.stderr.startswith("Error: bad.png: ")
    segmenter = Segmenter(unet)
    lines = rows(table)
    for source, name in (("a.png", "a.png"), ("c.jpg", "c.png"), ("deep/b.png", "deep/b.png")):
        expected = segmenter.run(read_volume(brains / source))
        assert expected.count > 0
        np.testing.assert_array_equal(pixels(out / name), expected.labels.data)
        assert sum(line["file_name"] == source for line in lines) == expected.count
    assert {line["name"] for line in lines} == {"tumour"}
    assert all(0.5 <= float(line["score"]) <= 1 for line in lines)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".mgz"])
def test_volumes_keep_format_and_place(
    command: Any, flair: Volume, unet: Path, tmp_path: Path, suffix: str
) -> None:
    source = write_volume(flair, tmp_path / f"scan{suffix}")
    out, table = tmp_path / f"labels{suffix}", tmp_path / "t.csv"
    words = ("--weights", unet, "--table", table, "--minimum-size", 20)
    result = command("segment", source, "-o", out, *words)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    labels = read_volume(out)
    expected = Segmenter(unet).run(read_volume(source), minimum_size=20)
    np.testing.assert_array_equal(labels.data, expected.labels.data)
    if suffix in (".nii.gz", ".mgz"):
        np.testing.assert_allclose(nib.load(out).affine, nib.load(source).affine, atol=1e-5)
    else:
        before, after = SimpleITK.ReadImage(str(source)), SimpleITK.ReadImage(str(out))
        for place in ("GetOrigin", "GetDirection", "GetSpacing"):
            written, read = getattr(after, place)(), getattr(before, place)()
            np.testing.assert_allclose(written, read, rtol=0, atol=1e-12)
    lines = rows(table)
    assert len(lines) == expected.count > 0
    assert "file_name" not in lines[0]
    assert min(float(line["volume (mL)"]) for line in lines) >= 0.02


def test_axis_and_window_reach_the_network(
    command: Any, flair: Volume, unet: Path, tmp_path: Path
) -> None:
    thick = flair.with_data(flair.data.astype(np.float32))
    thick = Volume(np.repeat(thick.data, 4, axis=0), "zyx", thick.affine, "mm")
    source, out = write_volume(thick, tmp_path / "scan.nii"), tmp_path / "labels.nii"
    words = ("--axis", "coronal", "--window", "10:300", "--threshold", 0.51)
    result = command("segment", source, "-o", out, "--weights", unet, *words)
    assert result.exit_code == 0, result.output
    run = Segmenter(unet).run
    expected = run(read_volume(source), axis="y", window=(10, 300), threshold=0.51)
    np.testing.assert_array_equal(read_volume(out).data, expected.labels.data)


def test_denoise_first(command: Any, brains: Path, unet: Path, grey: Path, tmp_path: Path) -> None:
    source, out = brains / "a.png", tmp_path / "out.png"
    words = (
        "--denoise",
        "--denoise-weights",
        grey,
        "--strength",
        0.5,
        "--denoise-ensemble",
        2,
        "--table",
        tmp_path / "t.csv",
    )
    result = command("segment", source, "-o", out, "--weights", unet, *words)
    assert result.exit_code == 0, result.output
    options = {"weights": grey, "strength": 0.5, "ensemble": 2}
    expected = Segmenter(unet).run(read_volume(source), denoise=options)
    np.testing.assert_array_equal(pixels(out), expected.labels.data)
    with Image.open(out) as image:
        assert '"operation": "segment"' in image.text["napari-dran"]
        assert "tiny-grey" in image.text["napari-dran"]
        assert '"ensemble": 2' in image.text["napari-dran"]
    (first, *_), whole = rows(tmp_path / "t.csv"), expected.image.data
    inside = whole[expected.labels.data == int(first["label"])]
    assert float(first["mean intensity"]) == pytest.approx(inside.mean(), rel=1e-4)


def test_weights_are_read_once_for_a_folder(
    command: Any,
    brains: Path,
    unet: Path,
    grey: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, load = [], weights.load_weights

    def counted(path: object) -> Any:
        read.append(str(path))
        return load(path)

    monkeypatch.setattr(weights, "load_weights", counted)
    monkeypatch.setattr(runner, "load_weights", counted)
    words = ("--weights", unet, "--denoise", "--denoise-weights", grey)
    assert command("segment", brains, "-o", tmp_path / "out", *words).exit_code == 0
    assert len(found(tmp_path / "out")) == 3
    assert read == [str(unet), str(grey)]


def test_dicom_series_gives_a_file(command: Any, corpus: Path, unet: Path, tmp_path: Path) -> None:
    import pydicom

    series = tmp_path / "in" / "series"
    series.mkdir(parents=True)
    for file in sorted((corpus / "volumes" / "dicom_series_seg3d_MR").glob("*.dcm"))[:2]:
        shutil.copy(file, series)
    words = ("--weights", unet, "--quiet", "--minimum-size", 500)
    for out in ("labels.nii.gz", "folder", "labels.dcm"):
        result = command("segment", series, "-o", tmp_path / out, *words)
        assert result.exit_code == 0, result.output
        assert result.output == ""
    one = nib.load(tmp_path / "labels.nii.gz")
    other = nib.load(tmp_path / "folder" / "series.nii.gz")
    np.testing.assert_array_equal(one.get_fdata(), other.get_fdata())
    segments = pydicom.dcmread(tmp_path / "labels.dcm")
    assert segments.Modality == "SEG"
    assert {segment.SegmentLabel for segment in segments.SegmentSequence} != set()
    Image.new("L", (30, 40)).save(tmp_path / "in" / "x.bmp")
    assert command("segment", tmp_path / "in", "-o", tmp_path / "out", *words).exit_code == 0
    assert found(tmp_path / "out") == ["series.nii.gz", "x.png"]


def test_nothing_found_is_an_empty_label_image_and_a_sentence(
    command: Any, brains: Path, unet: Path, tmp_path: Path
) -> None:
    words = ("--weights", unet, "--threshold", 1, "--table", tmp_path / "t.csv")
    result = command("segment", brains, "-o", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    sentence = "Nothing was found: no tumour above 1."
    assert result.stderr.splitlines() == [
        f"a.png: {sentence}",
        f"The same for 2 more images: {sentence}",
    ]
    assert not pixels(tmp_path / "out" / "a.png").any()
    assert (tmp_path / "t.csv").read_text().startswith("file_name,label")
    assert rows(tmp_path / "t.csv") == []


def test_a_grey_image_is_noted_once_for_a_folder(
    command: Any, brains: Path, unet: Path, tmp_path: Path
) -> None:
    for path in brains.rglob("*.*"):
        with Image.open(path) as image:
            grey = image.convert("L")
        grey.save(path)
    result = command("segment", brains, "-o", tmp_path / "out", "--weights", unet)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if "stands for all inputs" in line]
    assert [line.split(":")[0] for line in lines] == ["a.png", "The same for 2 more images"]


def test_nothing_is_overwritten_unless_told(
    command: Any, refused: Any, brains: Path, unet: Path, tmp_path: Path
) -> None:
    out, table = tmp_path / "out.png", tmp_path / "t.csv"
    words = ("segment", brains / "a.png", "-o", out, "--weights", unet, "--table", table)
    out.write_text("precious")
    assert "--overwrite" in refused(*words)
    out.unlink()
    table.write_text("precious")
    assert "--overwrite" in refused(*words)
    assert not out.exists()
    assert command(*words, "--overwrite").exit_code == 0
    assert table.read_text().startswith("label,name,")


def test_ctrl_c_leaves_what_is_finished_and_nothing_half_written(
    command: Any, brains: Path, unet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = Segmenter.run, []

    def interrupted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(*args, **options)

    monkeypatch.setattr(Segmenter, "run", interrupted)
    out, table = tmp_path / "out", tmp_path / "t.csv"
    result = command("segment", brains, "-o", out, "--weights", unet, "--table", table)
    assert result.exit_code == 130
    assert found(out) == ["a.png"]
    assert not table.exists()
