"""``napari-dran detect``: COCO results of files and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_dran import Detector, read_volume, write_volume
from napari_dran.analysis.coco import coco

pytestmark = pytest.mark.corpus


@pytest.fixture
def words(brains: Path, mask_rcnn: Path, tmp_path: Path) -> list[object]:
    """A command on a folder, with a threshold that random weights reach."""
    out = tmp_path / "out.json"
    return ["detect", brains, "-o", out, "--weights", mask_rcnn, "--score-threshold", 0.1]


def test_folder_gives_one_file_of_results(
    command: Any, brains: Path, mask_rcnn: Path, words: list[object], tmp_path: Path
) -> None:
    from pycocotools import mask as tool

    (brains / "bad.png").write_bytes(b"no picture")
    labels, table = tmp_path / "labels", tmp_path / "t.csv"
    result = command(*words, "--labels", labels, "--table", table)
    assert result.exit_code == 1, result.output
    assert result.stdout == "Looked at 3 of 4 images, 1 failed.\n"
    entries = json.loads((tmp_path / "out.json").read_text())
    assert sorted({entry["file_name"] for entry in entries}) == ["a.png", "c.jpg", "deep/b.png"]
    detector, expected = Detector(mask_rcnn), []
    for name in ("a.png", "c.jpg", "deep/b.png"):
        found = detector.run(read_volume(brains / name), score_threshold=0.1)
        expected += coco([(name, found)])
        with Image.open(labels / Path(name).with_suffix(".png")) as image:
            np.testing.assert_array_equal(np.asarray(image), found.labels.data)
    assert entries == expected
    for entry in entries:
        assert entry["category"] == "tumour"
        assert 0.1 <= entry["score"] <= 1
        rle = entry["segmentation"]
        assert tool.area({**rle, "counts": rle["counts"].encode()}) > 0
    assert table.read_text().startswith("file_name,label,name,")


def test_slices_of_a_volume(command: Any, corpus: Path, mask_rcnn: Path, tmp_path: Path) -> None:
    scan = read_volume(corpus / "volumes" / "FLAIR.nrrd")
    part = scan.data[10:12, 60:110, 60:124]
    source = write_volume(type(scan)(part, "zyx", scan.affine, "mm"), tmp_path / "scan.nii.gz")
    options = ("--weights", mask_rcnn, "--score-threshold", 0.1, "--labels", tmp_path / "labels")
    result = command("detect", source, "-o", tmp_path / "out.json", *options)
    assert result.exit_code == 0, result.output
    assert result.output == ""
    entries = json.loads((tmp_path / "out.json").read_text())
    assert {entry["slice"] for entry in entries} == {0, 1}
    assert {entry["file_name"] for entry in entries} == {"scan.nii.gz"}
    assert entries[0]["segmentation"]["size"] == [50, 64]
    labels = read_volume(tmp_path / "labels" / "scan.nii.gz")
    assert labels.shape == part.shape
    np.testing.assert_allclose(labels.affine, scan.affine, atol=1e-4)


def test_denoise_first(
    command: Any, brains: Path, mask_rcnn: Path, grey: Path, words: list[object], tmp_path: Path
) -> None:
    with Image.open(brains / "a.png") as image:
        image.convert("L").save(brains / "a.png")
    words[1] = brains / "a.png"
    result = command(*words, "--denoise", "--denoise-weights", grey)
    assert result.exit_code == 0, result.output
    image = read_volume(brains / "a.png")
    found = Detector(mask_rcnn).run(image, score_threshold=0.1, denoise={"weights": grey})
    assert found.denoised
    assert json.loads((tmp_path / "out.json").read_text()) == coco([("a.png", found)])


def test_nothing_found_is_an_empty_list_and_a_sentence(
    command: Any, words: list[object], tmp_path: Path
) -> None:
    result = command(*words[:-1], 1, "--table", tmp_path / "t.csv")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out.json").read_text()) == []
    assert len(result.stderr.splitlines()) == 2
    assert "a.png: Nothing was found" in result.stderr
    assert "The same for 2 more images" in result.stderr


def test_no_results_where_every_image_failed(
    command: Any, brains: Path, words: list[object], tmp_path: Path
) -> None:
    for path in [path for path in brains.rglob("*") if path.is_file()]:
        path.write_bytes(b"no picture")
    result = command(*words, "--table", tmp_path / "t.csv")
    assert result.exit_code == 1
    assert result.stdout == "Looked at 0 of 3 images, 3 failed.\n"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_ctrl_c_half_way_leaves_nothing(
    command: Any, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = Detector.run, []

    def interrupted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(*args, **options)

    monkeypatch.setattr(Detector, "run", interrupted)
    result = command(*words)
    assert result.exit_code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_names_that_cannot_be_written(refused: Any, words: list[object], tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("precious")
    assert "--overwrite" in refused(*words)
    assert (tmp_path / "out.json").read_text() == "precious"
    words[3] = tmp_path / "out.txt"
    assert ".json" in refused(*words)
    words[3] = tmp_path / "new.json"
    assert ".csv" in refused(*words, "--table", tmp_path / "table.xlsx")
    assert "inside the input" in refused(*words, "--labels", tmp_path / "in" / "labels")


def test_overwrite(command: Any, words: list[object], tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    assert command(*words, "--overwrite", "--quiet").output == ""
    assert json.loads((tmp_path / "out.json").read_text())
