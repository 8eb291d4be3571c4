"""Small lesions: how much contrast spots keep that were planted in real slices.

Discs of 2 to 8 pixels across, of 3 or 5 sigma, bright where the slice is dark and
dark where it is bright, stand one in each cell of a grid in the radiological test
images; then noise of sigma 25 is added. Each method denoises the image with the
spots and, with the same noise, without them. What a spot *kept* is the difference
of the two results over the disc, over what was planted; so neither noise nor
structure under the disc counts. The *seen* contrast is the plain one: mean over the
disc minus mean over a ring around it, relative to the same in the clean image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Unpack

import numpy as np

from . import methods as known
from .cards import taught
from .discs import SIGMA, SIZES, contrasts
from .images import radiological_images
from .markdown import folded, paragraphs, table, with_interval
from .marks import CONTRASTS
from .rows import read
from .scoring import Options, unmeasured
from .statistics import interval

NAME = "spots"
METHODS = ("noisy", "nlm", "bm3d", "dncnn", "dran", "dran-ensemble", "dran-grey-real")
BAR_SIZES = (3, 4, 5, 6, 8)
BARS = {3: 0.6, 5: 0.8}


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on a few radiological images a modality."""
    images = {(i.name,): i for i in radiological_images(corpus)}
    for name in methods:
        method = known.make(name)
        hashes = known.weights(method, channels=1)
        path = results / NAME / f"{known.stem(name)}.csv"
        found = unmeasured(
            path, images, hashes, keys=("image",), parts=("size", "contrast"), **options
        )
        for scores, image in found:
            columns = {"image": image.name, "modality": image.modality, "sigma": SIGMA}
            for row in list(contrasts(image.name, image.pixels, method)):
                scores.add({**columns, **asdict(row), "weights": hashes})


def draw(corpus: Path, results: Path, images: Path) -> None:
    """Draw the contrast kept over the size of spots, a line a method; ``corpus`` is not needed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.9), layout="constrained")
    places = figure.subplots(1, len(CONTRASTS), sharey=True)
    for place, contrast in zip(places, CONTRASTS, strict=True):
        for name in measured(results):
            means = [by_image(results, name, contrast, (size,)) for size in SIZES]
            # An ensemble may lie on the line of a single pass, which must show through.
            line = "o--" if name == "dran-ensemble" else "o-"
            place.plot(
                SIZES, [100 * np.mean(m) for m in means], line, ms=4, label=known.title(name)
            )
        place.axhline(100 * BARS[contrast], color="0.5", ls="--", lw=1)
        place.set_title(f"Spots of {contrast} sigma", fontsize=11)
        place.set_xlabel("diameter in pixels")
        place.set_xticks(SIZES)
        place.set_ylim(0, 110)
        place.spines[["top", "right"]].set_visible(False)
    places[0].set_ylabel("contrast kept in %")
    places[-1].legend(fontsize=8, frameon=False, loc="lower right")
    figure.savefig(images / f"{NAME}.png", dpi=110)


def measured(results: Path) -> list[str]:
    """Name the methods of which there are scores of every image, in the tables' order."""
    images = {
        name: {row["image"] for row in read(results / NAME / f"{name}.csv")}
        for name in known.METHODS
    }
    most = max(map(len, images.values()))
    return [name for name, found in images.items() if found and len(found) == most]


def by_image(
    results: Path, name: str, contrast: int, sizes: Sequence[int], column: str = "kept"
) -> list[float]:
    """Return the mean over the spots of some sizes and one contrast, for each image."""
    spots: dict[str, list[tuple[float, float]]] = {}
    for row in read(results / NAME / f"{name}.csv"):
        if int(row["contrast"]) == contrast and int(row["size"]) in sizes:
            spots.setdefault(row["image"], []).append((float(row[column]), float(row["spots"])))
    means = (np.average([v for v, _ in s], weights=[n for _, n in s]) for s in spots.values())
    return [float(mean) for mean in means]


def tables(results: Path) -> str:
    """Return the section of the page."""
    names = measured(results)
    if not names:
        return ""
    header = ["contrast kept in %", *(f"{size} px" for size in SIZES)]
    header += [f"mean, {BAR_SIZES[0]} to {BAR_SIZES[-1]} px"]
    parts = []
    for contrast in CONTRASTS:
        rows = []
        for name in names:
            means = [by_image(results, name, contrast, (size,)) for size in SIZES]
            whole = by_image(results, name, contrast, BAR_SIZES)
            percent = interval([100 * value for value in whole])
            cells = [f"{100 * np.mean(mean):.0f}" for mean in means]
            rows.append([known.title(name), *cells, with_interval(percent, 1)])
        bar = f"Spots of {contrast} sigma (to be kept: {100 * BARS[contrast]:.0f} %):"
        parts += [bar, table(header, rows)]
    seen = [
        [known.title(name)]
        + [
            f"{100 * np.mean(by_image(results, name, contrast, sizes, 'seen')):.0f}"
            for contrast in CONTRASTS
            for sizes in ((2,), BAR_SIZES)
        ]
        for name in names
    ]
    columns = [f"{c} sigma, {size}" for c in CONTRASTS for size in ("2 px", "3 to 8 px")]
    plain = table(["disc minus ring in %", *columns], seen)
    return paragraphs(
        "## Small lesions",
        "Discs of 2 to 8 pixels across planted in radiological test slices, bright or dark, then "
        f"noise of sigma {SIGMA:g}. Kept is the difference between the denoised image with the "
        "spots and the one without them, same noise, over each disc, of what was planted; with "
        "95 % intervals from resampling images. Two-pixel spots are not in the mean.",
        taught("spots", "planted discs"),
        *parts,
        folded(
            "The plain contrast",
            "Mean over the disc minus mean over a ring around it, of the same in the clean image "
            "with the spots. Here noise and structure that stay count, too.\n\n" + plain,
        ),
        f"![Contrast kept over size](images/evidence/{NAME}.png)",
    )
