"""Nuclei found one by one on noisy and denoised micrographs, by both kinds of network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_dran.analysis import Detector, Segmenter
from napari_dran.analysis.detection import SCORE_THRESHOLD
from napari_dran.weights import read_card

from .analysis_reading import found_by
from .analysis_scores import DENOISERS, RANGE, NetworkExperiment
from .analysis_tables import Column, Measured, mean_of, precision_of
from .detection import LEAST_SCORE, mask_ious
from .images import NUCLEI
from .labelled_images import Case
from .markdown import paragraphs
from .overlap import aggregated_jaccard, dice, overlaps
from .precision import match

NAME = "nuclei"
METHODS = DENOISERS
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


def load(weights: str | Path) -> Segmenter | Detector:
    """Make the network that weights are for."""
    return (Segmenter if read_card(weights).task == "segment" else Detector)(weights)


def score(network: Segmenter | Detector, case: Case, image: np.ndarray) -> dict[str, object]:
    """Return Dice, Jaccard index, how many there are, and how found and true nuclei match."""
    labels, ious, scores = (
        _instances(network, case, image)
        if isinstance(network, Segmenter)
        else _detections(network, case, image)
    )
    return {
        "objects": ious.shape[1],
        "found": len(np.unique(labels[labels > 0])),
        "dice": dice(case.labels > 0, labels > 0),
        "aji": aggregated_jaccard(case.labels, labels),
        "masks": match(ious, scores, THRESHOLDS).text(),
    }


def _instances(
    segmenter: Segmenter, case: Case, image: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return labels, IoU (found, true) and scores: a nucleus's mean probability."""
    found = segmenter.run(image, window=RANGE)
    labels = np.asarray(found.labels.data)
    ious = _ious(overlaps(case.labels, labels))[list(found.scores)]
    return labels, ious, list(found.scores.values())


def _detections(
    detector: Detector, case: Case, image: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return labels of those that a user would see, IoU (found, true) and scores of all."""
    found = detector.run(image, window=RANGE, score_threshold=LEAST_SCORE)
    sure = tuple(item for item in found.items if item.score >= SCORE_THRESHOLD)
    labels = np.asarray(replace(found, items=sure).labels.data)
    return labels, mask_ious(found, case.labels), [item.score for item in found.items]


def _ious(shared: np.ndarray) -> np.ndarray:
    """Return IoU (label found, true objects) from counts of shared pixels."""
    unions = shared.sum(1)[:, None] + shared.sum(0) - shared
    real = np.flatnonzero(shared.sum(1))
    ious: np.ndarray = (shared / np.maximum(unions, 1))[real[real > 0]].T
    return ious


measure = NetworkExperiment(NAME, NUCLEI, lambda: NETWORKS, load, score)

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
            found = found_by(measured, network, columns, "images", least, compared=AJI)
            parts += [f"#### {title}", found]
    return paragraphs("### Nuclei, one by one", TEXT, *parts) if parts else ""
