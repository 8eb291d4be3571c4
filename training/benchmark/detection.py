"""Detection of brain tumours on noisy and denoised scans (section 4.3.1, figure 9)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from napari_dran.analysis import Detections, Detector
from napari_dran.analysis.detection import BRAIN_TUMOUR, SCORE_THRESHOLD
from napari_dran.training.analysis import targets_of

from .analysis_figures import Boxes, chosen_slices, draw_boxes, picture
from .analysis_images import STORE
from .analysis_reading import found_by
from .analysis_scores import DENOISERS, RANGE, NetworkExperiment
from .analysis_tables import Column, Measured, Row, mean_of, precision_of
from .labelled_images import TUMOUR, Case, cases
from .markdown import paragraphs
from .precision import box_ious, match

NAME = "detection"
METHODS = DENOISERS
NETWORK = "mask-rcnn"
LEAST_SCORE = 0.05
"""What scores less does not enter the average precision; torchvision leaves it out, too."""

BAR = 0.65
"""AP50 of boxes expected on clean slices."""

FIGURE = "figure-9-detection.png"
TEXT = """\
The Mask R-CNN is that of `maskrcnn-brain-tumour`. Average precision as COCO defines it, of boxes
and of masks, over all 100 slices (those without a tumour can only add false ones): at an IoU of
0.5, and the mean over 0.5 to 0.95. What the network scores below 0.05 does not count. The true
objects are the connected parts of the masks of two pixels a side or more. "Localisation" is the
best IoU that any detection with a score of 0.5 or more reaches with each true box, 0 for one that
is missed, as a mean over the slices with a tumour."""
FIGURE_TITLE = "Figure 9: detection"
FIGURE_TEXT = """\
Three slices, chosen by how much better DRAN makes the localisation at sigma 50: the lower
quartile, the median and the upper quartile of all. Green: the true boxes; red: detections that
score 0.5 or more, with their scores."""


def score(detector: Detector, case: Case, image: np.ndarray) -> dict[str, object]:
    """Return how found and true objects match, and how well true boxes are met."""
    found = detector.run(image, window=RANGE, score_threshold=LEAST_SCORE)
    boxes, labels = true_objects(case.labels)
    scores = [item.score for item in found.items]
    by_box = box_ious(np.array([item.box for item in found.items]), boxes)
    by_mask = mask_ious(found, labels)
    sure = [score >= SCORE_THRESHOLD for score in scores]
    return {
        "objects": len(boxes),
        "found": sum(sure),
        "box_iou": _best(by_box[sure]),
        "mask_iou": _best(by_mask[sure]),
        "boxes": match(by_box, scores).text(),
        "masks": match(by_mask, scores).text(),
    }


def sure_boxes(detector: Detector, image: np.ndarray) -> Boxes:
    """Return box and score of what a user would see."""
    return [(item.box, item.score) for item in detector.run(image, window=RANGE).items]


def true_objects(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes and labels of what detectors are trained to find.

    Parameters
    ----------
    labels : ndarray
        int32 (height, width), objects numbered.

    Returns
    -------
    boxes : ndarray
        float64 (N, 4): y0, x0, y1, x1, from edge to edge.
    labels : ndarray
        int64 (height, width): those N objects, numbered from 1 in the same order.
    """
    targets = targets_of(torch.from_numpy(labels.astype(np.int64)))
    boxes = targets["boxes"].double().numpy()[:, [1, 0, 3, 2]]
    masks = targets["masks"].numpy()
    return boxes, np.tensordot(np.arange(1, len(masks) + 1), masks, 1)


def mask_ious(found: Detections, labels: np.ndarray) -> np.ndarray:
    """Return the IoU of each found object's mask with each true object.

    Parameters
    ----------
    found : Detections
        Of one slice; their masks may overlap.
    labels : ndarray
        Whole numbers (height, width), 0 for background, each true object its number.

    Returns
    -------
    ndarray
        float64 (found, true), the true ones by their numbers.
    """
    areas = np.bincount(labels.ravel())
    there = np.flatnonzero(areas[1:]) + 1
    ious = np.zeros((len(found.items), len(there)))
    for row, item in zip(ious, found.items, strict=True):
        shared = np.bincount(labels[item.where][item.mask], minlength=len(areas))[there]
        row[:] = shared / (areas[there] + item.mask.sum() - shared)
    return ious


def _best(ious: np.ndarray) -> float | str:
    """Return the mean over true objects of the best IoU; a missed one counts 0."""
    if not ious.shape[1]:
        return ""
    return float(ious.max(0).mean()) if len(ious) else 0.0


measure = NetworkExperiment(NAME, TUMOUR, lambda: {NETWORK: BRAIN_TUMOUR}, Detector, score)


def _has_tumour(row: Row) -> bool:
    return int(row["objects"]) > 0


AP50 = Column("AP50 of boxes", precision_of("boxes", 0), interval=True, resamples=2000)
LOCALISATION = Column("localisation IoU", mean_of("box_iou"), only=_has_tumour)
COLUMNS = (
    AP50,
    Column("AP50:95 of boxes", precision_of("boxes")),
    Column("AP50 of masks", precision_of("masks", 0)),
    Column("AP50:95 of masks", precision_of("masks")),
    LOCALISATION,
)


def tables(results: Path) -> str:
    """Return the part of the page: precisions, localisation, what DRAN is better than."""
    measured = Measured.read(results / NAME)
    if not measured.rows:
        return ""
    return paragraphs(
        "### Detection of brain tumours",
        TEXT,
        found_by(measured, NETWORK, COLUMNS, "slices", BAR),
        picture(measured, NETWORK, LOCALISATION, FIGURE, FIGURE_TITLE, FIGURE_TEXT),
    )


def draw(corpus: Path, results: Path, images: Path, *, store: Path = STORE) -> None:
    """Draw figure 9: boxes on slices whose localisation denoising helped little and much."""
    measured = Measured.read(results / NAME)
    if shown := chosen_slices(measured, NETWORK, LOCALISATION, cases(corpus, TUMOUR)):
        find = partial(sure_boxes, Detector(BRAIN_TUMOUR))
        draw_boxes(shown, find, true_objects, images / FIGURE, store)
