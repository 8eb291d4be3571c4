"""How well a segmentation fits: against definitions, by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from training.benchmark.overlap import aggregated_jaccard, dice, hausdorff, iou, overlaps


def disc(side: int, row: int, column: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def test_dice_and_iou_of_masks() -> None:
    truth, found = np.zeros((2, 4, 5), bool)
    truth[1, :4], found[1, 2:] = True, True
    assert dice(truth, found) == pytest.approx(2 * 2 / 7)
    assert iou(truth, found) == pytest.approx(2 / 5)
    nothing = np.zeros((4, 5), bool)
    assert (dice(truth, nothing), iou(truth, nothing)) == (0, 0)
    assert (dice(nothing, nothing), iou(nothing, nothing)) == (1, 1)


def test_hausdorff_distance_is_in_pixels() -> None:
    truth = disc(64, 30, 30, 12)
    assert hausdorff(truth, truth) == 0
    assert hausdorff(truth, np.roll(truth, 5, axis=1)) == 5
    # A speck far away is less than 5 % of the outline, so it does not count.
    speck = truth.copy()
    speck[60, 60] = True
    assert hausdorff(truth, speck) <= 1


def test_hausdorff_distance_of_nothing_is_the_diagonal() -> None:
    truth, nothing = disc(256, 100, 100, 9), np.zeros((256, 256), bool)
    assert hausdorff(truth, nothing) == pytest.approx(362.04, abs=0.01)
    assert hausdorff(nothing, truth) == hausdorff(truth, nothing)
    assert hausdorff(nothing, nothing) == 0


def by_brute_force(truth: np.ndarray, found: np.ndarray) -> float:
    """Kumar et al. 2017, algorithm 1, step by step with sets of pixels."""
    true = [set(zip(*np.where(truth == n), strict=True)) for n in np.unique(truth[truth > 0])]
    seen = [set(zip(*np.where(found == n), strict=True)) for n in np.unique(found[found > 0])]
    intersection, union, used = 0, 0, set()
    for one in true:
        values = [len(one & other) / len(one | other) for other in seen]
        if values and max(values) > 0:
            best = values.index(max(values))
            intersection += len(one & seen[best])
            union += len(one | seen[best])
            used.add(best)
        else:
            union += len(one)
    union += sum(len(other) for n, other in enumerate(seen) if n not in used)
    return intersection / union


@pytest.mark.parametrize("seed", range(6))
def test_aggregated_jaccard_index_is_that_of_the_paper(seed: int) -> None:
    random = np.random.default_rng(seed)

    def scattered(count: int) -> np.ndarray:
        labels = np.zeros((40, 40), np.int32)
        for number in range(1, count + 1):
            labels[disc(40, *random.integers(0, 40, 2), random.integers(2, 8))] = number
        return labels

    truth, found = scattered(8), scattered(seed + 3)
    assert aggregated_jaccard(truth, found) == pytest.approx(by_brute_force(truth, found))
    moved = np.roll(truth, 1, axis=0)
    assert aggregated_jaccard(truth, moved) == pytest.approx(by_brute_force(truth, moved))


def test_aggregated_jaccard_index_by_hand() -> None:
    truth = np.zeros((6, 8), np.int32)
    truth[0:2, 0:4], truth[4:6, 0:4] = 1, 5
    found = np.zeros_like(truth)
    found[0:2, 2:6], found[0:1, 7] = 2, 9
    # 4 shared; unions 12 and, for the one that is missed, 8; one made up of 1 pixel.
    assert aggregated_jaccard(truth, found) == pytest.approx(4 / (12 + 8 + 1))
    # Two merged to one: the found object is in both pairs.
    merged = np.where(truth > 0, 1, 0)
    assert aggregated_jaccard(truth, merged) == pytest.approx(16 / (16 + 16))
    assert aggregated_jaccard(truth, truth) == 1


def test_aggregated_jaccard_index_of_nothing() -> None:
    nothing, something = np.zeros((4, 4), np.int32), np.eye(4, dtype=np.int32)
    assert aggregated_jaccard(nothing, nothing) == 1
    assert aggregated_jaccard(something, nothing) == 0
    assert aggregated_jaccard(nothing, something) == 0


def test_overlaps_count_every_pixel_once() -> None:
    truth = np.array([[0, 1, 1], [2, 2, 0]])
    found = np.array([[3, 3, 1], [0, 1, 0]])
    shared = overlaps(truth, found)
    assert shared.tolist() == [[1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0]]
