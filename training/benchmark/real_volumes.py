"""Figure 8: real noisy volumes before and after, and what was removed.

There is no truth to compare with: what was removed must look like noise, without
anatomy. Only scans that may be passed on are shown: the bundled ones (MIT) and an
MR series of Seg3D's examples (MIT).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran import denoise, read_volume
from napari_dran.intensity import choose_window
from napari_dran.noise import GREY_LEVELS, estimate_sigma
from napari_dran.samples import load_sample

from . import methods as known
from .figures import CAPTION, GAP, INK, PAPER, WIDE
from .markdown import paragraphs, table
from .rows import read
from .scoring import Options, unmeasured

NAME = "real-volumes"
METHODS = ("dran-grey", "dran-grey-real")
FIGURE = "figure-8-real-volumes"

BODY, MARGIN = 0.15, 4
"""Share of the brightest above which a pixel is of the body, and pixels left around it."""

SHOWN = (0.5, 98.5)
"""Percentiles that are black and white."""

RESIDUAL_REACH = 4.0
"""Grey scale of residuals: this many of their standard deviations on either side."""


@dataclass(frozen=True)
class Slice:
    """One slice of a noisy volume: a bundled sample or a DICOM series, and which."""

    title: str
    source: str
    index: tuple[int, ...]
    upside_down: bool = True


SLICES = (
    Slice("FLAIR brain MR", "flair", (24,)),
    Slice("EPI brain MR (fMRI)", "epi", (0, 12)),
    Slice("heart MR (DICOM)", "volumes/dicom_series_seg3d_MR", (2,), False),
)


def draw_volumes(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray]], path: Path, weights: str
) -> None:
    """Draw slices before and after, and what was removed.

    Parameters
    ----------
    rows : sequence of (str, ndarray, ndarray)
        Title, noisy slice and denoised slice, in the scan's unit.
    path : Path
        PNG file to write.
    weights : str
        What denoised them.
    """
    from matplotlib.figure import Figure

    high = [WIDE * noisy.shape[0] / noisy.shape[1] for _, noisy, _ in rows]
    size = 3 * (WIDE + GAP) - GAP, sum(high) + len(rows) * CAPTION * 0.6
    figure = Figure(figsize=size, facecolor=PAPER)
    bottom = size[1]
    for (title, noisy, clean), tall in zip(rows, high, strict=True):
        bottom -= tall + CAPTION * 0.6
        low, top = np.percentile(noisy, SHOWN)
        residual = noisy.astype(np.float64) - clean
        reach = RESIDUAL_REACH * residual.std()
        shown = (
            (title, noisy, low, top),
            (f"denoised with {weights}", clean, low, top),
            ("what was removed", residual, -reach, reach),
        )
        for column, (caption, image, darkest, brightest) in enumerate(shown):
            x = column * (WIDE + GAP) / size[0]
            y = (bottom + CAPTION * 0.6) / size[1]
            place = figure.add_axes((x, y, WIDE / size[0], tall / size[1]))
            place.imshow(image, cmap="gray", vmin=darkest, vmax=brightest, aspect="auto")
            place.set_axis_off()
            figure.text(
                x + WIDE / 2 / size[0],
                y - 0.06 / size[1],
                caption,
                ha="center",
                va="top",
                fontsize=10.5,
                color=INK,
            )
    figure.savefig(path, dpi=110)


def noisy_slices(corpus: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield title and pixels, float32 (height, width) in the scan's unit."""
    for chosen in SLICES:
        file = "/" in chosen.source
        volume = read_volume(corpus / chosen.source) if file else load_sample(chosen.source)
        noisy = np.asarray(volume.data)[chosen.index].astype(np.float32)
        yield chosen.title, np.ascontiguousarray(noisy[::-1] if chosen.upside_down else noisy)


def run(noisy: np.ndarray, weights: str) -> np.ndarray:
    """Denoise as a user does: strength 1, the default window."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(denoise(noisy, weights=weights))


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure how much noise there is and how much each of the weights removes."""
    slices = {(title,): (title, noisy) for title, noisy in noisy_slices(corpus)}
    for name in methods:
        hashes, stem = known.weights(known.make(name)), known.stem(name)
        path = results / NAME / f"{stem}.csv"
        for scores, (title, noisy) in unmeasured(path, slices, hashes, keys=("image",), **options):
            window = choose_window(noisy)
            unit = GREY_LEVELS / window.range if window else 0.0
            residual = noisy.astype(np.float64) - run(noisy, name)
            scores.add(
                {
                    "image": title,
                    "modality": "mri",
                    "sigma": unit * estimate_sigma(noisy),
                    "removed": unit * float(residual.std()),
                    "weights": hashes,
                }
            )


def tables(results: Path) -> str:
    """Return the section of the page."""
    found = {name: read(results / NAME / f"{name}.csv") for name in METHODS}
    found = {name: rows for name, rows in found.items() if rows}
    if not found:
        return ""
    first = next(iter(found.values()))
    rows = [
        [row["image"], f"{float(row['sigma']):.1f}"]
        + [f"{float(other[i]['removed']):.1f}" for other in found.values()]
        for i, row in enumerate(first)
    ]
    header = ["slice", "estimated sigma", *(f"removed by {name}" for name in found)]
    return paragraphs(
        "## Figure 8: real noisy volumes",
        "Nobody knows what is below this noise; what was removed should look like noise, without "
        "anatomy. Standard deviations in grey levels of 255 of the window.",
        table(header, rows),
        f"![Slices before, after, and what was removed](images/evidence/{FIGURE}.png)",
    )


def draw(corpus: Path, results: Path, images: Path) -> None:
    """Draw the slices with the last of the weights that were measured."""
    names = [name for name in METHODS if (results / NAME / f"{name}.csv").is_file()]
    if not names:
        return
    rows = []
    for title, noisy in noisy_slices(corpus):
        clean = run(noisy, names[-1])
        body = noisy > BODY * np.percentile(noisy, 99.5)
        inside = tuple(_span(body.any(axis)) for axis in (1, 0))
        rows.append((title, noisy[inside], clean[inside]))
    draw_volumes(rows, images / f"{FIGURE}.png", names[-1])


def _span(mask: np.ndarray) -> slice:
    """Return where a mask is true, from first to last, with a margin."""
    places = np.flatnonzero(mask)
    return slice(max(0, places[0] - MARGIN), places[-1] + 1 + MARGIN)
