"""Turn a training run into shipped weights: ``python training/export.py grey``.

Takes the checkpoint of a run, of ``napari-dran train`` or of the first trainer,
and writes the averaged weights with their card into the package. ``--scores``
takes the CSV of ``napari-dran evaluate``.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from napari_dran.training.checkpoints import export_weights, find_checkpoint, read_checkpoint
from napari_dran.training.data import corpus_sources

PACKAGE = Path(__file__).parents[1] / "src/napari_dran/weights"


IMAGES = {
    "grey": "grey images: X-ray, MR, CT, ultrasound, fluorescence and others",
    "colour": "colour images: histopathology, dermatology and others",
}


def read_scores(path: str) -> dict[str, object]:
    """Average the rows of an evaluation: modality -> sigma -> PSNR, SSIM."""
    sums: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            sums[row["modality"]][row["sigma"]].append((float(row["psnr"]), float(row["ssim"])))
    return {
        modality: {
            sigma: {
                "psnr": round(sum(p for p, _ in values) / len(values), 3),
                "ssim": round(sum(s for _, s in values) / len(values), 4),
                "images": len(values),
            }
            for sigma, values in by_sigma.items()
        }
        for modality, by_sigma in sums.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["grey", "colour"])
    parser.add_argument("--run", default=None, help="run folder or checkpoint, default runs/<kind>")
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--hardware", default="2 CPU cores")
    parser.add_argument("--scores", default=None, help="CSV of `napari-dran evaluate` on test")
    parser.add_argument("--comparison", default=None, help="JSON of the benchmark's means")
    parser.add_argument("--started-from", default=None, help="what the run was started from")
    options = parser.parse_args()
    checkpoint = read_checkpoint(find_checkpoint(options.run or f"runs/{options.kind}"))
    facts = {"hardware": options.hardware, "data": corpus_sources(f"{options.corpus}/train")}
    facts = {"started from": "random weights", **checkpoint.facts, **facts}
    if options.started_from:
        facts["started from"] = options.started_from
    scores: dict[str, object] = {"val": dict(checkpoint.scores)}
    if options.scores:
        scores["test, protocol gaussian"] = read_scores(options.scores)
    if options.comparison:
        scores["test, sigma 25, PSNR in dB by method"] = json.loads(
            Path(options.comparison).read_text()
        )
    written = export_weights(
        replace(checkpoint, facts=facts),
        PACKAGE / f"dran-{options.kind}.safetensors",
        overwrite=True,
        scores=scores,
        description=f"Blind Gaussian denoiser for {IMAGES[options.kind]}.",
        licence=(
            "Research use: some of the training images are licensed for non-commercial use or "
            "state no licence, see data."
        ),
    )
    print(f"{written.name}: {written.steps} steps, sha256 {written.sha256}")


if __name__ == "__main__":
    main()
