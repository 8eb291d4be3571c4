"""Average precision as COCO defines it, from what was found in each image.

Lin et al., "Microsoft COCO", ECCV 2014, and the rules of its evaluation code: in
the order of their scores, found objects take the true object of the highest IoU
that none has taken yet; precision, made to fall with recall only, is averaged over
101 recalls. Images are matched one by one here, so that a CSV file can hold what
was found and a bootstrap can draw patients; tests compare with torchmetrics.
There is no limit to the number of objects an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU from which on an object counts as found."""

RECALLS = np.linspace(0, 1, 101)
DIGITS = 6
AT_ONCE = 250
"""Drawings of images that are worked on together, to save memory."""


@dataclass(frozen=True)
class Matches:
    """What was found in one image, or in several.

    Parameters
    ----------
    scores : ndarray
        float64 (found,).
    hits : ndarray
        bool (found, thresholds): whether each took a true object.
    objects : int
        Number of true objects.
    """

    scores: np.ndarray
    hits: np.ndarray
    objects: int

    def text(self) -> str:
        """Write scores and hits for a cell of a CSV file: ``0.98:1110000000 ...``."""
        bits = ("".join("1" if hit else "0" for hit in row) for row in self.hits)
        pairs = zip(self.scores, bits, strict=True)
        return " ".join(f"{score:.{DIGITS}g}:{row}" for score, row in pairs)

    @classmethod
    def of_text(cls, text: str, objects: int) -> Matches:
        """Read what :meth:`text` wrote."""
        pairs = [part.split(":") for part in text.split()]
        hits = [[bit == "1" for bit in bits] for _, bits in pairs]
        width = len(hits[0]) if hits else len(THRESHOLDS)
        return cls(
            np.array([float(score) for score, _ in pairs]),
            np.array(hits, bool).reshape(len(pairs), width),
            objects,
        )


def match(
    ious: np.ndarray, scores: Sequence[float], thresholds: Sequence[float] | np.ndarray = THRESHOLDS
) -> Matches:
    """Match what was found in an image with what is there.

    Parameters
    ----------
    ious : ndarray
        (found, true): IoU of each pair.
    scores : sequence of float
        Of those found.
    thresholds : sequence of float
        IoU from which on an object counts as found.
    """
    # Rounded as the CSV file has them, so that the order is the same from there.
    rounded = np.array([float(f"{score:.{DIGITS}g}") for score in scores], np.float64)
    order = np.argsort(-rounded, kind="stable")
    hits = np.zeros((len(rounded), len(thresholds)), bool)
    for column, threshold in enumerate(thresholds):
        free = np.ones(ious.shape[1], bool)
        for row in order:
            candidates = np.where(free, ious[row], -1.0)
            if candidates.size and candidates.max() >= threshold:
                free[candidates.argmax()] = False
                hits[row, column] = True
    return Matches(rounded[order], hits[order], ious.shape[1])


def join(parts: Iterable[Matches]) -> Matches:
    """Put the matches of several images into one."""
    every = list(parts)
    filled = [part for part in every if len(part.scores)]
    width = filled[0].hits.shape[1] if filled else len(THRESHOLDS)
    return Matches(
        np.concatenate([np.zeros(0), *(part.scores for part in filled)]),
        np.concatenate([np.zeros((0, width), bool), *(part.hits for part in filled)]),
        sum(part.objects for part in every),
    )


def average_precision(matches: Matches) -> np.ndarray:
    """Return the average precision at each threshold.

    Parameters
    ----------
    matches : Matches
        Of all images.

    Returns
    -------
    ndarray
        float64 (thresholds,); NaN if there is nothing to find.
    """
    columns = range(matches.hits.shape[1])
    one = np.ones((1, 1))
    return np.array([weighted_precision([matches], one, column)[0] for column in columns])


def weighted_precision(
    images: Sequence[Matches], weights: np.ndarray, threshold: int | None = None
) -> np.ndarray:
    """Return the average precision of images that count more or less often.

    Parameters
    ----------
    images : sequence of Matches
        One an image.
    weights : ndarray
        (n, images): how many times each counts.
    threshold : int, optional
        Index of the threshold; by default the mean over all is taken.

    Returns
    -------
    ndarray
        float64 (n,); NaN if there is nothing to find.
    """
    every = join(images)
    owner = np.repeat(np.arange(len(images)), [len(image.scores) for image in images])
    order = np.argsort(-every.scores, kind="stable")
    hits, owner = every.hits[order], owner[order]
    columns = range(hits.shape[1]) if threshold is None else [threshold]
    objects = weights @ np.array([image.objects for image in images], np.float64)
    parts = []
    for start in range(0, len(weights), AT_ONCE):
        some, there = weights[start : start + AT_ONCE], objects[start : start + AT_ONCE, None]
        # Each counts as often as its image was drawn: the same as so many copies.
        counts = some[:, owner]
        total = np.maximum(np.cumsum(counts, axis=1), 1)
        found = [_area(np.cumsum(counts * hits[:, c], axis=1), total, there) for c in columns]
        parts.append(np.where(there[:, 0] > 0, np.mean(found, axis=0), np.nan))
    return np.concatenate(parts)


def _area(true: np.ndarray, total: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Average the precision of each row over :data:`RECALLS`."""
    precision = np.maximum.accumulate((true / total)[:, ::-1], axis=1)[:, ::-1]
    passed = np.searchsorted(RECALLS, true / np.maximum(objects, 1), side="right")
    area: np.ndarray = (np.diff(passed, axis=1, prepend=0) * precision).sum(1) / len(RECALLS)
    return area


def box_ious(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the IoU of each pair of boxes.

    Parameters
    ----------
    found, true : ndarray
        (N, 4) and (M, 4): y0, x0, y1, x1.

    Returns
    -------
    ndarray
        float64 (N, M).
    """
    found, true = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (found, true))
    corner = np.maximum(found[:, None, :2], true[None, :, :2])
    far = np.minimum(found[:, None, 2:], true[None, :, 2:])
    shared = np.clip(far - corner, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (found, true)]
    union = areas[0][:, None] + areas[1] - shared
    result: np.ndarray = shared / np.maximum(union, np.finfo(float).tiny)
    return result
