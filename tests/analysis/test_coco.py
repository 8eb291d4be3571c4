"""Run lengths and result files, compared with what pycocotools makes and takes."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as reference
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_dran import InputError, OutputExistsError, Volume
from napari_dran.analysis import Detection, Detections
from napari_dran.analysis.coco import coco, rle_decode, rle_encode, write_coco
from napari_dran.weights import Card

CARD = Card("test", "maskrcnn", {}, 3, task="detect", classes=("tumour",))


def made_up() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    masks = {f"random {p}": rng.random((37, 53)) < p for p in (0.01, 0.3, 0.5, 0.97)}
    checks = (np.add.outer(np.arange(20), np.arange(30)) % 2).astype(bool)
    large = np.zeros((3000, 2000), bool)
    large[1200:1300, 5:1900] = True
    return masks | {
        "empty": np.zeros((7, 9), bool),
        "full": np.ones((7, 9), bool),
        "one pixel": np.ones((1, 1), bool),
        "one row": np.arange(40)[None] % 3 == 0,
        "checks": checks,
        "first pixel": ~checks,
        "large": large,
    }


def assert_same_as_pycocotools(mask: np.ndarray) -> None:
    expected = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    encoded = rle_encode(mask)
    assert encoded == {"size": list(mask.shape), "counts": expected["counts"].decode()}
    np.testing.assert_array_equal(reference.decode(encoded), mask)
    for rle in (encoded, expected):
        decoded = rle_decode(rle)
        assert decoded.dtype == bool
        np.testing.assert_array_equal(decoded, mask)


@pytest.mark.parametrize("name", made_up())
def test_made_up_masks(name: str) -> None:
    assert_same_as_pycocotools(made_up()[name])


@pytest.mark.corpus
def test_real_masks(corpus: Path) -> None:
    paths = sorted((corpus / "lgg" / "test" / "masks").iterdir())
    assert len(paths) == 100
    for path in paths:
        assert_same_as_pycocotools(np.asarray(Image.open(path)) > 0)


def test_numbers_count_as_a_mask() -> None:
    labels = np.array([[0, 3], [7, 0]])
    assert rle_encode(labels) == rle_encode(labels > 0)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ({"size": [2, 2], "counts": "05"}, "add up to 5 pixels"),
        ({"size": [2, 2], "counts": "4~"}, "'~'"),
        ({"size": [2, 2], "counts": "4X"}, "cut short"),
        ({"size": [2, 2], "counts": "N6"}, "damaged"),
    ],
)
def test_damaged_run_lengths(rle: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rle_decode(rle)


def test_a_mask_has_two_axes() -> None:
    with pytest.raises(InputError, match=r"got shape \(2, 2, 2\)"):
        rle_encode(np.zeros((2, 2, 2), bool))


def detections(path: Path, **changes: object) -> Detections:
    """What a perfect network would find in a slice with a tumour."""
    mask = np.asarray(Image.open(path)) > 0
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    item = Detection(None, 0, (y0, x0, y1, x1), 0.87654321, "tumour", (y0, x0), mask[y0:y1, x0:x1])
    return Detections((item,), Volume(mask), "yx", "z", CARD, **changes)


@pytest.mark.corpus
def test_pycocotools_reads_and_scores_the_file(corpus: Path, tmp_path: Path) -> None:
    paths = sorted((corpus / "lgg" / "test" / "masks").iterdir())
    paths = [path for path in paths if np.asarray(Image.open(path)).any()][:5]
    written = write_coco([(p.name, detections(p)) for p in paths], tmp_path / "out.json")
    entries = json.loads(written.read_text())
    assert [entry["file_name"] for entry in entries] == [path.name for path in paths]
    assert set(entries[0]) == {
        "file_name", "slice", "bbox", "score", "category", "segmentation",
    }  # fmt: skip
    truth = []
    for number, (path, entry) in enumerate(zip(paths, entries, strict=True), 1):
        mask = np.asfortranarray(np.asarray(Image.open(path)) > 0, dtype=np.uint8)
        expected = reference.encode(mask)
        assert entry["segmentation"]["counts"] == expected["counts"].decode()
        assert entry["bbox"] == reference.toBbox(expected).tolist()
        assert entry["score"] == 0.876543
        truth.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0,
                      "area": float(mask.sum()), "bbox": reference.toBbox(expected).tolist(),
                      "segmentation": expected})  # fmt: skip
        entry.update(image_id=number, category_id=1)
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO()
        dataset.dataset = {
            "images": [{"id": one["image_id"], "height": 256, "width": 256} for one in truth],
            "categories": [{"id": 1, "name": "tumour"}],
            "annotations": truth,
        }
        dataset.createIndex()
        for kind in ("bbox", "segm"):
            evaluation = COCOeval(dataset, dataset.loadRes(entries), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            assert evaluation.stats[0] == pytest.approx(1.0)


def test_slices_of_a_series_across_another_axis() -> None:
    mask = np.array([[True, False, True], [True, True, True]])
    item = Detection(2, 11, (1.234, 4.0, 3.0, 7.006), 0.5, "nucleus", (1, 4), mask)
    found = Detections((item,), Volume(np.zeros((3, 5, 12, 14))), "tzyx", "y", CARD)
    (entry,) = coco([("cells.tif", found)])
    assert (entry["slice"], entry["time"]) == (11, 2)
    assert entry["bbox"] == [4.0, 1.23, 3.01, 1.77]
    assert entry["category"] == "nucleus"
    whole = rle_decode(entry["segmentation"])
    assert whole.shape == (5, 14)  # z, x
    np.testing.assert_array_equal(whole[1:3, 4:7], mask)
    assert whole.sum() == mask.sum()


def test_nothing_found_is_an_empty_list(tmp_path: Path) -> None:
    found = Detections((), Volume(np.zeros((4, 4))), "yx", "z", CARD)
    path = write_coco([("a.png", found)], tmp_path / "out.json")
    assert json.loads(path.read_text()) == []
    with pytest.raises(OutputExistsError, match="exists already"):
        write_coco([], path)
    assert write_coco([], path, overwrite=True) == path
    assert list(tmp_path.iterdir()) == [path]
