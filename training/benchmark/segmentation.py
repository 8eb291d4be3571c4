"""Segmentation of brain tumours on noisy and denoised scans (section 4.3.2, figure 10)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from napari_dran.analysis import Segmenter
from napari_dran.analysis.segmentation import BRAIN_TUMOUR
from napari_dran.errors import InputError

from .analysis_figures import chosen_slices, draw_outlines, picture
from .analysis_images import STORE
from .analysis_reading import found_by, trained_with_noise
from .analysis_scores import DENOISERS, RANGE, NetworkExperiment
from .analysis_tables import Column, Measured, Row, mean_of
from .labelled_images import TUMOUR, Case, cases
from .markdown import paragraphs
from .networks import RUNS, weights_of
from .overlap import dice, hausdorff, iou

NAME = "segmentation"
METHODS = DENOISERS
NETWORK, WITH_NOISE = "unet", "unet-noise"
"""The shipped network, and one that was trained with noise."""

BAR = 0.80
"""Mean Dice expected on clean slices with a tumour."""

FIGURE = "figure-10-segmentation.png"
TEXT = """\
The U-Net is that of `unet-brain-tumour`; a pixel is tumour from a probability of 0.5 on. Dice,
IoU and the 95 % Hausdorff distance are means over the 83 slices with a tumour; a slice in which
nothing is found counts with a Dice of 0 and the image's diagonal, 362 pixels, as its distance,
and "missed" is the share of such slices. "False alarms" is the share of the other slices in which
something is found."""
FIGURE_TITLE = "Figure 10: segmentation"
FIGURE_TEXT = """\
Three slices, chosen by how much Dice DRAN brings back at sigma 50: the lower quartile, the median
and the upper quartile of all. Green: the truth; red: what the U-Net finds, with its Dice."""

WITH_NOISE_RUN = "unet-brain-tumour-noise"


def score(segmenter: Segmenter, case: Case, image: np.ndarray) -> dict[str, object]:
    """Return Dice, IoU, Hausdorff distance, and the areas in pixels."""
    truth, found = case.labels > 0, mask(segmenter, image)
    return {
        "dice": dice(truth, found),
        "iou": iou(truth, found),
        "hausdorff": hausdorff(truth, found),
        "true": int(truth.sum()),
        "found": int(found.sum()),
    }


def mask(segmenter: Segmenter, image: np.ndarray) -> np.ndarray:
    """Return where a network sees a tumour, bool (height, width)."""
    labels = segmenter.run(image, window=RANGE).labels
    return np.asarray(labels.data) > 0


def networks(runs: Path = RUNS) -> dict[str, str | Path]:
    """Return the weights that are there: the shipped ones, and those trained with noise."""
    found: dict[str, str | Path] = {NETWORK: BRAIN_TUMOUR}
    single = runs / f"{WITH_NOISE_RUN}.safetensors"
    if single.is_file():
        return {**found, WITH_NOISE: single}
    try:
        return {**found, WITH_NOISE: weights_of(WITH_NOISE_RUN, runs)}
    except InputError:
        return found


measure = NetworkExperiment(NAME, TUMOUR, networks, Segmenter, score)


def _has_tumour(row: Row) -> bool:
    return int(row["true"]) > 0


def _has_none(row: Row) -> bool:
    return int(row["true"]) == 0


DICE = Column("Dice", mean_of("dice"), interval=True, only=_has_tumour)
COLUMNS = (
    DICE,
    Column("IoU", mean_of("iou"), only=_has_tumour),
    Column("Hausdorff 95 %, px", mean_of("hausdorff"), digits=1, only=_has_tumour),
    Column("missed", mean_of("found", lambda cell: float(cell == "0")), 2, only=_has_tumour),
    Column("false alarms", mean_of("found", lambda cell: float(cell != "0")), 2, only=_has_none),
)


def tables(results: Path) -> str:
    """Return the part of the page: scores, what DRAN is better than, training with noise."""
    measured = Measured.read(results / NAME)
    if not measured.rows:
        return ""
    return paragraphs(
        "### Segmentation of brain tumours",
        TEXT,
        found_by(measured, NETWORK, COLUMNS, "slices", BAR),
        trained_with_noise(measured, DICE, NETWORK, WITH_NOISE),
        picture(measured, NETWORK, DICE, FIGURE, FIGURE_TITLE, FIGURE_TEXT),
    )


def draw(corpus: Path, results: Path, images: Path, *, store: Path = STORE) -> None:
    """Draw figure 10: outlines on slices of which noise took little, some, and much."""
    measured = Measured.read(results / NAME)
    if shown := chosen_slices(measured, NETWORK, DICE, cases(corpus, TUMOUR)):
        find = partial(mask, Segmenter(networks()[NETWORK]))
        draw_outlines(shown, find, images / FIGURE, store)
