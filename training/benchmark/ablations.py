"""Table 3, figure 11, and the ablations that the paper lacks.

All networks were trained by ``train-networks`` with the same images, steps, recipe
and seed; what differs is what the table says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.training.run_folder import BEST

from . import markdown
from . import methods as known
from .comparison import DIGITS
from .gaussian import add_noise
from .images import grey_images
from .networks import NETWORKS, RUNS, read_facts
from .rows import read
from .scoring import Options, measure_images
from .statistics import paired

NAME = "ablations"
METHODS = tuple(name for name in NETWORKS if not name.endswith("-colour"))
SIGMAS = (25.0, 50.0)
IMAGES = 10
"""Images a modality."""

CURVE_SIGMA = 25
CURVES = {
    "Noise gates": ("dran", "no-gates"),
    "Convolutions and blocks": ("dran", "static", "shared-blocks", "one-block"),
    "Loss": ("dran", "l2", "charbonnier"),
    "Architecture": ("dran", "dncnn", "residual-mid"),
}
COLOURS = ("#1f4e9c", "#d1495b", "#2a9d8f", "#e09f3e")


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    *,
    runs: Path = RUNS,
    **options: Unpack[Options],
) -> None:
    """Measure trained networks on grey test images; those not trained yet are left out."""
    images = list(grey_images(corpus, IMAGES))
    for name in methods:
        if (runs / name / BEST).is_file():
            measure_images(
                images,
                results / NAME,
                name,
                known.trained(name, runs),
                add_noise,
                sigmas=SIGMAS,
                **options,
            )


def draw(corpus: Path, results: Path, images: Path) -> None:
    """Draw figure 11: PSNR on validation images while training, from the logs."""
    logs = {name: rows for name in METHODS if (rows := read(log_of(name, results)))}
    panels = {
        heading: [name for name in names if name in logs] for heading, names in CURVES.items()
    }
    panels = {heading: names for heading, names in panels.items() if len(names) > 1}
    if not panels:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(2, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure, grid = pyplot.subplots(
        lines, columns, figsize=(4.4 * columns, 3.2 * lines), sharey=True, squeeze=False
    )
    places = grid.ravel()
    for place in places[len(panels) :]:
        place.set_axis_off()
    for place, (heading, names) in zip(places, panels.items(), strict=False):
        for name, colour in zip(names, COLOURS, strict=False):
            steps = [int(row["step"]) for row in logs[name]]
            values = [float(row[f"psnr_{CURVE_SIGMA}"]) for row in logs[name]]
            title = NETWORKS[name].title
            place.plot(steps, values, color=colour, label=title, marker="o", markersize=2.5)
        place.set_title(heading, fontsize=10, loc="left")
        place.set_xlabel("step")
        place.grid(color="#e3e6ea", linewidth=0.6)
        place.spines[["top", "right"]].set_visible(False)
        place.legend(frameon=False, fontsize=8, loc="lower right")
    for row in grid:
        row[0].set_ylabel(f"validation PSNR in dB, sigma {CURVE_SIGMA}")
    # The first validations are of noise and would flatten everything after them.
    lasts = [float(logs[n][-1][f"psnr_{CURVE_SIGMA}"]) for names in panels.values() for n in names]
    places[0].set_ylim(min(lasts) - 3, max(lasts) + 0.4)
    figure.tight_layout()
    images.mkdir(parents=True, exist_ok=True)
    figure.savefig(images / "training-curves.png", dpi=130)
    pyplot.close(figure)


def log_of(name: str, results: Path) -> Path:
    """Return the place of a network's log."""
    return results / NAME / f"{name}-log.csv"


def tables(results: Path) -> str:
    """Write the section: what was trained how, scores, differences to DRAN, the curves."""
    facts = read_facts(results)
    scores = {name: _scores(results / NAME / f"{name}.csv") for name in METHODS if name in facts}
    scores = {name: rows for name, rows in scores.items() if rows}
    if not scores:
        return ""
    rows = [_row(name, scores, facts) for name in scores]
    header = ["network", "parameters", "steps", "minutes"]
    for sigma in SIGMAS:
        header += [f"sigma {sigma:g}: PSNR in dB / SSIM", "minus DRAN, dB"]
    curves = any(log_of(name, results).is_file() for name in scores)
    return markdown.paragraphs(
        "## Noise gates (Table 3, figure 11) and other ablations",
        _text(facts, len({image for image, _ in next(iter(scores.values()))})),
        markdown.table(header, rows),
        "![PSNR on validation images against training steps](images/evidence/training-curves.png)"
        if curves
        else "",
    )


Found = dict[tuple[str, float], dict[str, float]]


def _scores(path: Path) -> Found:
    return {
        (row["image"], float(row["sigma"])): {key: float(row[key]) for key in DIGITS}
        for row in read(path)
    }


def _row(
    name: str, scores: Mapping[str, Found], facts: Mapping[str, Mapping[str, str]]
) -> list[str]:
    fact = facts[name]
    unfinished = "" if fact["finished"] == "yes" else " (not finished)"
    cells = [
        NETWORKS[name].title,
        f"{int(fact['parameters']):,}",
        f"{int(fact['steps']):,}{unfinished}",
        fact["minutes"],
    ]
    for sigma in SIGMAS:
        mine = {image: s for (image, level), s in scores[name].items() if level == sigma}
        dran = {i: s for (i, level), s in scores.get("dran", {}).items() if level == sigma}
        means = [
            f"{np.mean([s[key] for s in mine.values()]):.{digits}f}" if mine else ""
            for key, digits in DIGITS.items()
        ]
        common = sorted(set(mine) & set(dran))
        difference = ""
        if common and name != "dran":
            pair = [[found[image]["psnr"] for image in common] for found in (mine, dran)]
            difference = markdown.with_interval(paired(*pair), DIGITS["psnr"], signed=True)
        cells += [" / ".join(filter(None, means)), difference]
    return cells


def _text(facts: Mapping[str, Mapping[str, str]], images: int) -> str:
    """Say how they were trained, as their checkpoints have it."""
    mine = [facts[name] for name in METHODS if name in facts]
    shared = [
        f"{label} {', '.join(dict.fromkeys(fact[key] for fact in mine))}"
        for label, key in (
            ("batch", "batch"), ("crops of", "crop"), ("seed", "seed"),
            ("precision", "precision"), ("device", "device"), ("training images", "images"),
        )
    ]  # fmt: skip
    steps = sorted({int(fact["steps"]) for fact in mine})
    return (
        f"Trained alike, for {' or '.join(f'{count:,}' for count in steps)} steps: "
        f"{', '.join(shared)}. That is far from the end of training where steps are few, and "
        "what is better early need not be better late. Gaussian noise, the networks are not told "
        f"sigma; {images} grey images of `corpus/test`. Differences to DRAN are means over images "
        "with their 95 % intervals; bold where a variant is better than DRAN for sure."
    )
