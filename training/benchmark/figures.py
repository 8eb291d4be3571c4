"""Figures 5 to 7: one image of each category at sigma 50, by each method.

Only images that may be passed on are shown: nuclei of BBBC038v1 (CC0) and the
bundled T1 volume (MIT). None of the dermatology images may, so a stained tissue
section stands for images in colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from napari_dran import read_volume
from napari_dran.metrics import psnr, ssim
from napari_dran.noise import GREY_LEVELS as LEVELS
from napari_dran.noise import add_gaussian
from napari_dran.samples import load_sample
from napari_dran.training.evaluation import noise_seed

from . import methods as known
from .images import TestImage
from .markdown import paragraphs
from .rows import read
from .scoring import Options, measure_methods

NAME = "figures"
METHODS = ("noisy", "bm3d", "dncnn", "residual-mid", "dran")
SIGMA = 50.0
COLUMNS = 3
WIDE, GAP, CAPTION = 3.1, 0.08, 0.62
"""Width of an image, room beside it, and room below it for the caption, in inches."""

DETAIL, INSET = 0.16, 0.42
"""Sides of the square that is magnified, and of the inset: shares of the shorter side."""

INK, PAPER, ACCENT = "#1b1f24", "white", "#ffb000"


@dataclass(frozen=True)
class Panel:
    """What one figure shows.

    Parameters
    ----------
    figure, title : str
        File name without its ending, and heading.
    source : str
        A file below ``corpus``, or "t1" for the bundled volume.
    corner : tuple of int
        Row and column where the inset's square begins.
    """

    figure: str
    title: str
    source: str
    corner: tuple[int, int]


PANELS = (
    Panel(
        "figure-5-microscopy",
        "Microscopy: nuclei, fluorescence",
        "dsb2018/test/images/e50ac10d1dce6496.png",
        (66, 76),
    ),
    Panel("figure-6-radiology", "Radiology: brain, T1-weighted MR", "t1", (58, 66)),
    Panel(
        "figure-7-colour",
        "Colour: stained tissue section",
        "dsb2018/test/images/442c4eb0185698fe.png",
        (118, 78),
    ),
)


def panel_image(panel: Panel, corpus: Path) -> np.ndarray:
    """Read the clean image of a panel, float32 in [0, 1]; grey ones reach white."""
    if panel.source == "t1":
        volume = np.asarray(load_sample("t1").data)
        pixels = volume[len(volume) // 2, ::-1]
    else:
        pixels = np.asarray(read_volume(corpus / panel.source).data)
        if pixels.ndim == 3 and panel.figure != "figure-7-colour":
            pixels = pixels[..., 0]
    white = LEVELS if pixels.ndim == 3 else float(pixels.max())
    return np.ascontiguousarray(pixels, np.float32) / np.float32(white)


def noisy_image(panel: Panel, clean: np.ndarray) -> np.ndarray:
    """Add a panel's noise, always the same."""
    return add_gaussian(clean, SIGMA, noise_seed(panel.figure, SIGMA))


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on the images of the figures."""
    images = {panel.figure: (panel, panel_image(panel, corpus)) for panel in PANELS}
    shown = [TestImage(name, "figure", clean) for name, (_, clean) in images.items()]
    measure_methods(
        methods,
        shown,
        results / NAME,
        lambda image, sigma: (noisy_image(images[image.name][0], image.pixels), sigma / LEVELS),
        sigmas=(SIGMA,),
        **options,
    )


def tables(results: Path) -> str:
    """Return the section of the page."""
    if not any((results / NAME).glob("*.csv")):
        return ""
    shown = [f"**{p.title}**\n\n![{p.title}](images/evidence/{p.figure}.png)" for p in PANELS]
    return paragraphs(
        "## Figures 5 to 7: what it looks like at sigma 50",
        "Images that the networks were not trained on, with Gaussian noise; PSNR and SSIM of "
        "each. Only images that may be passed on are shown: nuclei and a tissue section of "
        "BBBC038v1 (CC0), and the bundled T1 volume (MIT), whose reference has some noise of its "
        "own. No dermatology image may be passed on; the section stands for images in colour.",
        *shown,
    )


def draw(corpus: Path, results: Path, images: Path) -> None:
    """Draw the figures with the methods that were measured."""
    for panel in PANELS:
        clean = panel_image(panel, corpus)
        noisy = noisy_image(panel, clean)
        outputs = []
        for name in known.METHODS:
            rows = read(results / NAME / f"{name}.csv")
            if any(row["image"] == panel.figure for row in rows):
                output = known.make(name)(noisy, SIGMA / LEVELS)
                outputs.append((known.title(name), np.clip(output, 0, 1)))
        draw_panel(panel, [*outputs, ("reference", clean)], images / f"{panel.figure}.png")


def draw_panel(panel: Panel, outputs: Sequence[tuple[str, np.ndarray]], path: Path) -> None:
    """Draw images in a grid, with scores against the last one and a magnified detail.

    Parameters
    ----------
    panel : Panel
        Says which detail.
    outputs : sequence of (str, ndarray)
        Titles and images in [0, 1]; the last one is the reference.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    reference = outputs[-1][1]
    # Four fill a square; with three columns one would stand alone.
    columns = 2 if len(outputs) == 4 else COLUMNS
    rows = -(-len(outputs) // columns)
    high = WIDE * reference.shape[0] / reference.shape[1]
    size = columns * (WIDE + GAP) - GAP, rows * (high + CAPTION)
    figure = Figure(figsize=size, facecolor=PAPER)
    for index, (title, image) in enumerate(outputs):
        row, column = divmod(index, columns)
        bottom = size[1] - row * (high + CAPTION) - high
        box = column * (WIDE + GAP) / size[0], bottom / size[1], WIDE / size[0], high / size[1]
        place = figure.add_axes(box)
        place.set_axis_off()
        _show_with_inset(place, image, panel.corner)
        similar = ssim(reference, image, colour=image.ndim == 3)
        found = f"{psnr(reference, image):.2f} dB / {similar:.3f}"
        caption = "PSNR / SSIM" if image is reference else found
        figure.text(
            box[0] + box[2] / 2,
            (bottom - 0.07) / size[1],
            f"{title}\n{caption}",
            ha="center",
            va="top",
            fontsize=10.5,
            color=INK,
        )
    figure.savefig(path, dpi=110)


def _show_with_inset(place: Any, image: np.ndarray, corner: tuple[int, int]) -> None:
    from matplotlib.patches import Rectangle

    look = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    height, width = image.shape[:2]
    place.imshow(image, **look)
    (top, left), side = corner, round(DETAIL * min(height, width))
    detail = image[top : top + side, left : left + side]
    frame = Rectangle((left - 0.5, top - 0.5), side, side, fill=False, ec=ACCENT, lw=1.2)
    place.add_patch(frame)
    share = INSET * min(height, width)
    inset = place.inset_axes(
        (width - 0.5 - share, height - 0.5 - share, share, share), transform=place.transData
    )
    inset.imshow(detail, **look)
    inset.set(xticks=[], yticks=[])
    for spine in inset.spines.values():
        spine.set(color=ACCENT, linewidth=1.2)
