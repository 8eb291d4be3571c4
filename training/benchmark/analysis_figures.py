"""Figures 9 and 10: what networks find in clean, noisy and denoised slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import methods as known
from .analysis_images import Denoiser
from .analysis_reading import BAR_SIGMA, DRAN
from .analysis_scores import CLEAN, NOISY
from .analysis_tables import Column, Measured
from .figures import INK, PAPER
from .labelled_images import Case
from .markdown import paragraphs
from .overlap import dice
from .precision import box_ious

SHARES = (0.25, 0.5, 0.75)
"""Which slices are shown, of all in the order of what denoising brings."""

DRAWN = (DRAN, "bm3d")
FLAIR = 1
"""The channel that is shown: on it a glioma without enhancement is seen best."""

WIDE, GAP, CAPTION, HEAD = 2.4, 0.06, 0.3, 0.3
"""Width of an image, room beside it, below it and above the first row, in inches."""

TRUTH, FOUND = "#3ddc61", "#ff3b30"
SOURCE = (
    "Images: TCGA-LGG of The Cancer Imaging Archive (CC BY 3.0), FLAIR; the truth: Buda et al., "
    "Computers in Biology and Medicine 2019 (CC BY-NC-SA 4.0, under which this picture stands "
    "too)."
)

Boxes = Sequence[tuple[tuple[float, float, float, float], float]]


def by_gain(measured: Measured, network: str, column: Column) -> list[str]:
    """Order images by how much better a score is for DRAN's than for the noisy one."""
    keys = [(name, network, BAR_SIGMA) for name in (DRAN, NOISY)]
    denoised, noisy = measured.together(*keys, only=column.only)
    each = np.eye(len(noisy))
    if not len(each):
        return []
    gains = column.score(denoised)(each) - column.score(noisy)(each)
    return [noisy[index]["image"] for index in np.argsort(gains, kind="stable")]


def chosen_slices(
    measured: Measured, network: str, column: Column, images: Sequence[Case]
) -> list[Case]:
    """Return the images at :data:`SHARES` of the order of :func:`by_gain`."""
    order = by_gain(measured, network, column)
    named = {case.name: case for case in images}
    places = [round(share * (len(order) - 1)) for share in SHARES] if order else []
    return [named[order[place]] for place in dict.fromkeys(places)]


def picture(
    measured: Measured, network: str, column: Column, file: str, title: str, text: str
) -> str:
    """Return the Markdown of a figure; "" if what it shows is not measured."""
    if not by_gain(measured, network, column):
        return ""
    shown = f"![{title}](images/evidence/{file})"
    return paragraphs(f"**{title} at sigma {BAR_SIGMA:g}**", shown, f"{text} {SOURCE}")


def draw_outlines(
    images: Sequence[Case], mask: Callable[[np.ndarray], np.ndarray], path: Path, store: Path
) -> None:
    """Draw outlines of the truth and of what a network finds.

    Parameters
    ----------
    images : sequence of Case
        A row each.
    mask : callable
        Maps an image to what is found, bool (height, width).
    path : Path
        PNG file to write.
    store : Path
        Where denoised images are kept; BM3D has a column if all of its are there.
    """

    def annotate(place: Any, case: Case, image: np.ndarray) -> str:
        truth, found = case.labels > 0, mask(image)
        for outline, colour in ((truth, TRUTH), (found, FOUND)):
            if outline.any():
                place.contour(outline.astype(float), [0.5], colors=[colour], linewidths=1.3)
        return f"Dice {dice(truth, found):.2f}"

    _draw(images, annotate, path, store)


def draw_boxes(
    images: Sequence[Case],
    boxes: Callable[[np.ndarray], Boxes],
    truth: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    path: Path,
    store: Path,
) -> None:
    """Draw the true boxes and those that a network finds, with their scores.

    Parameters
    ----------
    images, path, store
        As for :func:`draw_outlines`.
    boxes : callable
        Maps an image to pairs of box (y0, x0, y1, x1) and score.
    truth : callable
        Maps labels to the true boxes, and what else is known of the objects.
    """
    from matplotlib.patches import Rectangle

    def annotate(place: Any, case: Case, image: np.ndarray) -> str:
        real, found = truth(case.labels)[0], boxes(image)
        marks = [(tuple(box), TRUTH) for box in real] + [(box, FOUND) for box, _ in found]
        for (y0, x0, y1, x1), colour in marks:
            corner = x0 - 0.5, y0 - 0.5
            frame = Rectangle(corner, x1 - x0, y1 - y0, fill=False, ec=colour, lw=1.4)
            place.add_patch(frame)
        for (y0, x0, _, _), score in found:
            place.text(
                x0 + 1, y0 - 3, f"{score:.2f}", color="white", fontsize=7, clip_on=True,
                bbox={"facecolor": FOUND, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        if not found:
            return "nothing found"
        ious = box_ious(np.array([box for box, _ in found]), real)
        return f"IoU {ious.max(0).mean():.2f}"

    _draw(images, annotate, path, store)


def _draw(
    images: Sequence[Case],
    annotate: Callable[[Any, Case, np.ndarray], str],
    path: Path,
    store: Path,
) -> None:
    """Draw a row an image and a column a kind of input."""
    from matplotlib.figure import Figure

    shown = _inputs(images, store)
    columns, rows = len(shown), len(images)
    high = WIDE * max(case.labels.shape[0] / case.labels.shape[1] for case in images)
    size = columns * (WIDE + GAP) - GAP, HEAD + rows * (high + CAPTION)
    figure = Figure(figsize=size, facecolor=PAPER)
    words: dict[str, Any] = {"ha": "center", "color": INK, "fontsize": 10}
    for column, (title, make) in enumerate(shown):
        left = column * (WIDE + GAP)
        middle = (left + WIDE / 2) / size[0]
        figure.text(middle, 1 - 0.2 / size[1], title, va="center", fontweight="bold", **words)
        for row, case in enumerate(images):
            bottom = size[1] - HEAD - row * (high + CAPTION) - high
            place = figure.add_axes(
                (left / size[0], bottom / size[1], WIDE / size[0], high / size[1])
            )
            image = make(case)
            grey = image[..., FLAIR] if image.ndim == 3 else image
            place.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            place.set_axis_off()
            caption = annotate(place, case, image)
            figure.text(middle, (bottom - 0.05) / size[1], caption, va="top", **words)
    figure.savefig(path, dpi=110)


def _inputs(images: Sequence[Case], store: Path) -> list[tuple[str, Callable[[Case], np.ndarray]]]:
    """Return titles of the columns and what makes their images."""
    found: list[tuple[str, Callable[[Case], np.ndarray]]] = [
        ("clean", lambda case: case.noisy(CLEAN)),
        ("noisy", lambda case: case.noisy(BAR_SIGMA)),
    ]
    for name in DRAWN:
        denoiser = Denoiser(name, store)
        if all(denoiser.kept(case, BAR_SIGMA) for case in images):
            title = known.title(name).partition(",")[0]
            found.append((title, lambda case, d=denoiser: d.load(case, BAR_SIGMA)))  # type: ignore[misc]
    return found
