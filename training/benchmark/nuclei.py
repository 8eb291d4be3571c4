"""Nuclei found one by one on noisy and denoised micrographs, by both kinds of network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_dran.analysis import Detector, Segmenter
from napari_dran.analysis.detection import SCORE_THRESHOLD
from napari_dran.weights import read_card

from .analysis_images import STORE
from .analysis_reading import against_others, reading
from .analysis_scores import METHODS, RANGE, Scorer, measure_networks
from .analysis_tables import Column, Measured, mean_of, precision_of, scores_table
from .detection import LEAST_SCORE
from .images import NUCLEI
from .labelled_images import Case, cases
from .markdown import paragraphs
from .overlap import aggregated_jaccard, dice, overlaps
from .precision import match
from .scoring import Progress

NAME = "nuclei"
NETWORKS = {"unet": "unet-nuclei", "mask-rcnn": "maskrcnn-nuclei"}
"""Name in the tables -> shipped weights."""

THRESHOLDS = (0.5,)
"""IoU from which on a nucleus counts as found."""

TEXT = """\
39 of the 51 micrographs are grey (fluorescence), 12 are stained sections in colour; DRAN denoises
the former with the grey, the latter with the colour weights. The foreground Dice takes all nuclei
of an image together. AP50 is the average precision of the nuclei at an IoU of 0.5, over all
images and without a limit to their number; a nucleus of the U-Net has the mean probability inside
it for a score. The aggregated Jaccard index (Kumar et al. 2017) punishes nuclei that are missed,
made up, merged or split; a Mask R-CNN's nuclei enter it and the Dice from a score of 0.5 on, the
surer one on top. Dice and Jaccard index are means over images."""


class InstancesScorer:
    """Scores the nuclei that a U-Net makes out.

    Parameters
    ----------
    weights : str or Path
        Of the network.
    """

    def __init__(self, weights: str | Path) -> None:
        self.segmenter = Segmenter(weights)
        self.card = self.segmenter.card

    def __call__(self, case: Case, image: np.ndarray) -> dict[str, object]:
        """Return the scores; a nucleus's own is the mean probability inside it."""
        found = self.segmenter.run(image, window=RANGE)
        labels = np.asarray(found.labels.data)
        shared = overlaps(case.labels, labels)
        numbers = [number for number in found.scores if number]
        ious = _ious(shared)[numbers]
        scores = [found.scores[number] for number in numbers]
        return _cells(case.labels, labels, ious, scores)


class DetectionsScorer:
    """Scores the nuclei that a Mask R-CNN finds.

    Parameters
    ----------
    weights : str or Path
        Of the network.
    """

    def __init__(self, weights: str | Path) -> None:
        self.detector = Detector(weights)
        self.card = self.detector.card

    def __call__(self, case: Case, image: np.ndarray) -> dict[str, object]:
        """Return the scores; labels are made of those that a user would see."""
        found = self.detector.run(image, window=RANGE, score_threshold=LEAST_SCORE)
        areas = np.bincount(case.labels.ravel())
        ious = np.zeros((len(found.items), int((areas[1:] > 0).sum())))
        for row, item in zip(ious, found.items, strict=True):
            inside = case.labels[item.where][item.mask]
            shared = np.bincount(inside, minlength=len(areas))
            union = areas + item.mask.sum() - shared
            row[:] = (shared / np.maximum(union, 1))[1:][areas[1:] > 0]
        labels = np.zeros(case.labels.shape, np.int32)
        by_score = sorted(found.items, key=lambda item: item.score)
        for number, item in enumerate(by_score, start=1):
            if item.score >= SCORE_THRESHOLD:
                labels[item.where][item.mask] = number
        return _cells(case.labels, labels, ious, [item.score for item in found.items])


def _ious(shared: np.ndarray) -> np.ndarray:
    """Return IoU (label found, true objects) from counts of shared pixels."""
    unions = shared.sum(1)[:, None] + shared.sum(0) - shared
    real = np.flatnonzero(shared.sum(1))
    ious: np.ndarray = (shared / np.maximum(unions, 1))[real[real > 0]].T
    return ious


def _cells(
    truth: np.ndarray, labels: np.ndarray, ious: np.ndarray, scores: Sequence[float]
) -> dict[str, object]:
    return {
        "objects": ious.shape[1],
        "found": len(np.unique(labels[labels > 0])),
        "dice": dice(truth > 0, labels > 0),
        "aji": aggregated_jaccard(truth, labels),
        "masks": match(ious, scores, THRESHOLDS).text(),
    }


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    *,
    again: bool = False,
    progress: Progress = lambda name, done, total: None,
    store: Path = STORE,
    weights: Mapping[str, str | Path] = NETWORKS,
) -> None:
    """Measure the networks on the images of ``dsb2018/test``.

    Parameters
    ----------
    corpus, results, methods, again, progress
        See :func:`training.benchmark.analysis_scores.measure_networks`.
    store : Path
        Where denoised images are kept.
    weights : mapping
        Name of a network -> its weights.
    """
    scorers: dict[str, Scorer] = {
        name: (InstancesScorer if read_card(path).task == "segment" else DetectionsScorer)(path)
        for name, path in weights.items()
    }
    measure_networks(
        cases(corpus, NUCLEI),
        results / NAME,
        methods,
        scorers,
        again=again,
        progress=progress,
        store=store,
    )


DICE = Column("foreground Dice", mean_of("dice"), interval=True)
AP50 = Column("AP50", precision_of("masks", 0))
AJI = Column("aggregated Jaccard", mean_of("aji"), interval=True)
PARTS = {
    "unet": ("U-Net", (DICE, AP50, AJI), 0.88),
    "mask-rcnn": ("Mask R-CNN", (AP50, DICE, AJI), 0.65),
}
"""Network -> its title, the columns of its tables, and what is expected of the first on clean
images."""


def tables(results: Path) -> str:
    """Return the part of the page: both networks' scores."""
    measured = Measured.read(results / NAME)
    parts = []
    for network, (title, columns, least) in PARTS.items():
        if any(key[1] == network for key in measured.rows):
            parts += [
                f"#### {title}",
                *(scores_table(measured, network, s, columns, "images") for s in measured.sigmas()),
                against_others(measured, network, AJI),
                reading(measured, network, columns[0], least),
            ]
    return paragraphs("### Nuclei, one by one", TEXT, *parts) if parts else ""
