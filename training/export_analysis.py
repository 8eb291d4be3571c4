"""Turn a run of a segmenter or a detector into shipped weights.

``python training/export_analysis.py unet-nuclei --run RUN`` takes the averaged weights
of the run's last checkpoint, whose schedule has ended, and writes them with their card
into the package, and the curve of the run into ``training/results/curves`` and
``docs/images/training``. ``--score "set: measure=0.85"`` adds what the benchmark
measured on test images.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from export import CURVES, PACKAGE, PICTURES
from napari_dran.training.checkpoints import export_weights, find_checkpoint, read_checkpoint
from napari_dran.training.data import corpus_sources
from napari_dran.training.validation import LOG

TUMOUR_LICENCE = (
    "Research use, not commercial: the training images are under CC BY-NC-SA 4.0, see data."
)
NUCLEI_LICENCE = "Free to use: the training images are CC0, the encoder's start Apache-2.0."
CARDS = {
    "unet-brain-tumour": (
        "U-Net that segments low-grade gliomas in brain MR slices: pre-contrast, FLAIR and "
        "post-contrast, or a FLAIR alone.",
        "lgg",
        TUMOUR_LICENCE,
    ),
    "maskrcnn-brain-tumour": (
        "Mask R-CNN that finds low-grade gliomas in brain MR slices: pre-contrast, FLAIR and "
        "post-contrast, or a FLAIR alone.",
        "lgg",
        TUMOUR_LICENCE,
    ),
    "unet-nuclei": (
        "U-Net that segments nuclei one by one, in fluorescence and in H&E.",
        "dsb2018",
        NUCLEI_LICENCE,
    ),
    "maskrcnn-nuclei": (
        "Mask R-CNN that finds nuclei, in fluorescence and in H&E.",
        "dsb2018",
        NUCLEI_LICENCE,
    ),
}


def draw_curve(name: str, log: Path) -> None:
    """Copy the log of a run, and draw its loss and its score."""
    from matplotlib.figure import Figure

    for folder in (CURVES, PICTURES):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(log, CURVES / f"{name}.csv")
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for key, value in row.items():
            columns[key].append(float(value))
    (score,) = set(columns) - {"step", "minutes", "loss", "learning_rate"}
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    quality, loss = figure.subplots(1, 2)
    quality.plot(columns["step"], columns[score], ".-", color="tab:blue", ms=4)
    quality.set_ylabel(f"{score} on val")
    loss.plot(columns["step"], columns["loss"], ".-", color="0.3", ms=4)
    loss.set_ylabel("training loss")
    for place in (quality, loss):
        place.set_xlabel("steps")
        place.grid(alpha=0.2)
        place.spines[["top", "right"]].set_visible(False)
    figure.suptitle(name, fontsize=9)
    figure.savefig(PICTURES / f"{name}.png", dpi=110)


def read_scores(texts: list[str]) -> dict[str, dict[str, float]]:
    """Read ``set: measure=number`` texts, grouped by set."""
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for text in texts:
        where, _, entry = text.partition(":")
        measure, _, value = entry.partition("=")
        scores[where.strip()][measure.strip()] = float(value)
    return dict(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(CARDS))
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--hardware", default="1 CPU core")
    parser.add_argument("--score", nargs="*", default=[], metavar="SET: MEASURE=NUMBER")
    parser.add_argument("--started-from", default=None, help="what the run was started from")
    options = parser.parse_args()
    description, folder, licence = CARDS[options.name]
    checkpoint = read_checkpoint(find_checkpoint(options.run))
    sources = corpus_sources(f"{options.corpus}/{folder}/train")
    facts = {**checkpoint.facts, "hardware": options.hardware, "data": sources}
    if options.started_from:
        facts["started from"] = options.started_from
    draw_curve(options.name, options.run / LOG)
    written = export_weights(
        replace(checkpoint, facts=facts),
        PACKAGE / f"{options.name}.safetensors",
        overwrite=True,
        scores={"val": dict(checkpoint.scores), **read_scores(options.score)},
        description=description,
        licence=licence,
    )
    print(f"{written.name}: {written.steps} steps, sha256 {written.sha256}")


if __name__ == "__main__":
    main()
