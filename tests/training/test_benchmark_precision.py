"""Average precision: torchmetrics' on the same objects, from text, and drawn by patient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.detection import MeanAveragePrecision
from training.benchmark.precision import (
    RECALLS,
    THRESHOLDS,
    Matches,
    average_precision,
    box_ious,
    join,
    match,
    weighted_precision,
)
from training.benchmark.statistics import drawn, grouped

SIDE = 64


def boxes_of(random: np.random.Generator, count: int) -> np.ndarray:
    corner = random.integers(0, 40, (count, 2))
    return np.concatenate([corner, corner + random.integers(6, 24, (count, 2))], 1).astype(float)


def filled(boxes: np.ndarray) -> np.ndarray:
    masks = np.zeros((len(boxes), SIDE, SIDE), bool)
    for mask, (y0, x0, y1, x1) in zip(masks, boxes.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
        mask[y0, x0] = False
    return masks


def mask_pairs(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    shared = np.einsum("ahw,bhw->ab", found.astype(int), true.astype(int))
    return shared / (found.sum((1, 2))[:, None] + true.sum((1, 2)) - shared)


@pytest.fixture
def scenes() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """True boxes, boxes found near some of them and elsewhere, and scores."""
    random = np.random.default_rng(1)
    made = []
    for count in (3, 1, 0, 5, 2, 0, 4):
        true = boxes_of(random, count)
        near = true[random.random(count) < 0.8] + random.integers(-2, 3, 4)
        found = np.clip(np.concatenate([near, boxes_of(random, 2)]), 0, SIDE)
        made.append((true, found, random.random(len(found)).round(2)))
    return [*made, (boxes_of(random, 2), np.zeros((0, 4)), np.zeros(0))]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_average_precision_is_that_of_coco(
    scenes: list[tuple[np.ndarray, np.ndarray, np.ndarray]], kind: str
) -> None:
    # Its own thresholds are of 32 bits, which puts 3 of 5 objects below a recall of 0.6.
    library = MeanAveragePrecision(
        backend="faster_coco_eval",
        iou_type=kind,  # type: ignore[arg-type]
        iou_thresholds=THRESHOLDS.tolist(),
        rec_thresholds=RECALLS.tolist(),
    )
    if kind == "segm":
        # It leaves out images without a true object when it compares masks, false ones and all.
        scenes = [scene for scene in scenes if len(scene[0])]
    ours = []
    for true, found, scores in scenes:
        either = {}
        for name, boxes in (("found", found), ("true", true)):
            either[name] = {
                "boxes": torch.from_numpy(boxes[:, [1, 0, 3, 2]]).float(),
                "masks": torch.from_numpy(filled(boxes)),
                "labels": torch.ones(len(boxes), dtype=torch.int64),
            }
        either["found"]["scores"] = torch.from_numpy(scores)
        library.update([either["found"]], [either["true"]])
        pairs = mask_pairs(filled(found), filled(true))
        ours.append(match(box_ious(found, true) if kind == "bbox" else pairs, scores.tolist()))
    expected = library.compute()
    precision = average_precision(join(ours))
    assert 0.1 < float(expected["map_50"]) < 0.9
    assert precision[0] == pytest.approx(float(expected["map_50"]), abs=1e-6)
    assert precision[5] == pytest.approx(float(expected["map_75"]), abs=1e-6)
    assert precision.mean() == pytest.approx(float(expected["map"]), abs=1e-6)


def test_boxes_overlap_by_their_areas() -> None:
    found = np.array([[0, 0, 2, 2], [5, 5, 6, 6]])
    true = np.array([[0, 1, 2, 3], [0, 0, 2, 2], [2, 2, 4, 4]])
    assert box_ious(found, true).tolist() == [[1 / 3, 1, 0], [0, 0, 0]]
    assert box_ious(np.zeros((0, 4)), true).shape == (0, 3)


def test_surest_object_takes_the_true_one() -> None:
    ious = np.array([[0.9], [0.6], [0.2]])
    found = match(ious, [0.5, 0.8, 0.9])
    assert found.scores.tolist() == [0.9, 0.8, 0.5]
    assert found.hits.sum(0).tolist() == [1] * 9 + [0]
    assert found.hits[1].tolist() == [True] * 3 + [False] * 7
    assert found.hits[2].tolist() == [False] * 3 + [True] * 6 + [False]


def test_matches_can_be_had_from_their_text() -> None:
    random = np.random.default_rng(0)
    found = match(random.random((6, 3)), random.random(6).tolist())
    again = Matches.of_text(found.text(), 3)
    assert np.array_equal(again.scores, found.scores)
    assert np.array_equal(again.hits, found.hits)
    nothing = Matches.of_text("", 2)
    assert (len(nothing.scores), nothing.objects) == (0, 2)
    assert nothing.text() == ""
    assert average_precision(nothing).tolist() == [0] * len(THRESHOLDS)
    assert np.isnan(average_precision(Matches.of_text("0.9:1", 0))).all()


def test_image_that_counts_twice_is_two_images() -> None:
    random = np.random.default_rng(4)
    images = [match(random.random((n + 2, n)), random.random(n + 2).tolist()) for n in (3, 1, 2, 4)]
    weights = np.array([[1.0, 1, 1, 1], [2, 0, 1, 3], [0, 0, 0, 1]])
    for row, value in zip(weights, weighted_precision(images, weights, 0), strict=True):
        copies = [i for i, n in zip(images, row, strict=True) for _ in range(int(n))]
        assert value == pytest.approx(average_precision(join(copies))[0])
    whole = weighted_precision(images, weights)
    assert whole[0] == pytest.approx(average_precision(join(images)).mean())


def test_bootstrap_draws_whole_patients() -> None:
    groups = ["a"] * 5 + ["b"] * 2 + ["c"]
    weights = drawn(groups, resamples=500)
    assert weights.shape == (500, 8)
    assert (weights[:, :5] == weights[:, :1]).all()
    assert (weights[:, 0] + weights[:, 5] + weights[:, 7] == 3).all()
    values = np.array([1.0] * 5 + [0.0, 0.0, 0.5])
    found = grouped(lambda w: w @ values / w.sum(1), groups)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == (0, 1)
    assert found.count == 8
    alone = grouped(lambda w: w @ values / w.sum(1), groups, resamples=0)
    assert alone.mean == found.mean
    assert np.isnan([alone.low, alone.high]).all()
