"""Turn a run of a segmenter or a detector into shipped weights.

``python training/export_analysis.py unet-nuclei --run RUN`` takes the averaged weights
of the run's last checkpoint, whose schedule has ended, and writes them with their card
into the package, and the curve of the run into ``training/results/curves`` and
``docs/images/training``. Several runs become members of one ensemble, ``--even`` its even
probability; ``--scales`` are those that its members see images at. ``--score "set: measure=0.85"``
adds what the benchmark measured on test images.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from export import CURVES, PACKAGE, PICTURES
from napari_dran.training.cards import export_weights
from napari_dran.training.checkpoints import Checkpoint, find_checkpoint, read_checkpoint
from napari_dran.training.manifest import corpus_sources
from napari_dran.training.run_folder import LOG

TUMOUR_LICENCE = (
    "Research use, not commercial: the training images are under CC BY-NC-SA 4.0, see data."
)
NUCLEI_LICENCE = "Free to use: the training images are CC0, the encoder's start Apache-2.0."
EVEN = 0.5
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


def draw_curves(name: str, runs: list[Path]) -> None:
    """Join the logs of runs, and draw their loss and their score."""
    from matplotlib.figure import Figure

    for folder in (CURVES, PICTURES):
        folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    for number, run in enumerate(runs, 1):
        with (run / LOG).open(newline="", encoding="utf-8") as file:
            rows += [{"run": str(number), **row} for row in csv.DictReader(file)]
    with (CURVES / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    (score,) = set(rows[0]) - {"run", "step", "minutes", "loss", "learning_rate"}
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    places = dict(zip((score, "loss"), figure.subplots(1, 2), strict=True))
    titles = {score: f"{score} on val", "loss": "training loss"}
    for column, place in places.items():
        for number in range(1, len(runs) + 1):
            mine = [row for row in rows if row["run"] == str(number)]
            steps, values = zip(*((int(r["step"]), float(r[column])) for r in mine), strict=True)
            place.plot(steps, values, ".-", ms=4, label=f"member {number}")
        place.set_ylabel(titles[column])
        place.set_xlabel("steps")
        place.grid(alpha=0.2)
        place.spines[["top", "right"]].set_visible(False)
    if len(runs) > 1:
        places[score].legend(frameon=False, fontsize=8)
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


def joined(checkpoints: list[Checkpoint], even: float) -> Checkpoint:
    """Make one checkpoint of an ensemble's members; its recipe is the first one's."""
    first = checkpoints[0]
    if len(checkpoints) == 1 and even == EVEN:
        return first
    others = [member.recipe for member in checkpoints[1:]]
    differing = [
        {key: recipe[key] for key in recipe if recipe[key] != first.recipe.get(key)}
        for recipe in others
    ]
    return replace(
        first,
        architecture="unet-ensemble",
        arguments={
            "members": [dict(member.arguments) for member in checkpoints],
            "even": even,
            "channels": first.arguments["channels"],
        },
        weights={
            f"members.{number}.{key}": value
            for number, member in enumerate(checkpoints)
            for key, value in member.weights.items()
        },
        step=sum(member.step for member in checkpoints),
        elapsed=sum(member.elapsed for member in checkpoints),
        facts={**first.facts, **({"other members' recipes": differing} if differing else {})},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(CARDS))
    parser.add_argument("--run", required=True, type=Path, nargs="+", help="folders of runs")
    parser.add_argument("--even", type=float, default=EVEN, help="of an ensemble")
    parser.add_argument("--scales", type=int, nargs="+", help="at which U-Nets see images")
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--hardware", default="1 CPU core")
    parser.add_argument("--val", type=float, help="score on val measured since, for the run's own")
    parser.add_argument("--score", nargs="*", default=[], metavar="SET: MEASURE=NUMBER")
    parser.add_argument("--started-from", default=None, help="what the run was started from")
    options = parser.parse_args()
    description, folder, licence = CARDS[options.name]
    found = [read_checkpoint(find_checkpoint(run)) for run in options.run]
    if options.scales:
        found = [replace(c, arguments={**c.arguments, "scales": options.scales}) for c in found]
    if options.val is not None:
        found = [replace(c, scores=dict.fromkeys(c.scores, options.val)) for c in found]
    checkpoint = joined(found, options.even)
    sources = corpus_sources(f"{options.corpus}/{folder}/train")
    facts = {**checkpoint.facts, "hardware": options.hardware, "data": sources}
    if options.started_from:
        facts["started from"] = options.started_from
    draw_curves(options.name, options.run)
    written = export_weights(
        replace(checkpoint, facts=facts),
        PACKAGE / f"{options.name}.safetensors",
        overwrite=True,
        scores={"val, each member": [dict(c.scores) for c in found], **read_scores(options.score)},
        description=description,
        licence=licence,
    )
    print(f"{written.name}: {written.steps} steps, sha256 {written.sha256}")


if __name__ == "__main__":
    main()
