"""Turn a training run into shipped weights: ``python training/export.py grey``.

Reads ``runs/<kind>/checkpoint.pt``, writes the averaged weights with their card
into the package. ``--scores`` takes the CSV of ``napari-dran evaluate``.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
from collections import defaultdict
from pathlib import Path

import torch

from napari_dran.network.dran import DRAN
from napari_dran.training.data import corpus_sources
from napari_dran.weights import Card, save_weights

PACKAGE = Path(__file__).parents[1] / "src/napari_dran/weights"


def read_scores(path: str | None) -> dict[str, object]:
    """Average the rows of an evaluation: modality -> sigma -> PSNR, SSIM."""
    if path is None:
        return {}
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
    parser.add_argument("--run", default=None)
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--hardware", default="2 CPU cores")
    parser.add_argument("--scores", default=None, help="CSV of `napari-dran evaluate` on test")
    parser.add_argument("--comparison", default=None, help="JSON of the benchmark's means")
    parser.add_argument("--started-from", default=None, help="what the run was started from")
    options = parser.parse_args()
    run = Path(options.run or f"runs/{options.kind}")
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    network = DRAN(**state["arguments"])
    network.load_state_dict(state["averaged"])
    channels = network.channels
    scores: dict[str, object] = {
        "val, PSNR in dB at sigma 25, crops of 160 x 160": round(state["psnr25"], 3)
    }
    if options.scores:
        scores["test, protocol gaussian"] = read_scores(options.scores)
    if options.comparison:
        scores["test, sigma 25, PSNR in dB by method"] = json.loads(
            Path(options.comparison).read_text()
        )
    images = "grey" if channels == 1 else "colour"
    card = Card(
        name=f"dran-{options.kind}",
        architecture="dran",
        arguments=network.arguments,
        channels=channels,
        sigma_range=state["recipe"]["sigma"],
        description=(
            f"Blind Gaussian denoiser for {images} images of seven modalities "
            "(X-ray, MR, CT, ultrasound, histopathology, fluorescence, dermatology)."
        ),
        steps=state["step"],
        training={
            "recipe": state["recipe"],
            "minutes": round(state["elapsed"] / 60, 1),
            "hardware": options.hardware,
            "precision": "bfloat16 autocast",
            "started from": options.started_from or "random weights",
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        data=corpus_sources(f"{options.corpus}/train"),
        scores=scores,
        licence=(
            "Research use: some of the training images are licensed for non-commercial use or "
            "state no licence, see data."
        ),
    )
    written = save_weights(PACKAGE / f"{card.name}.safetensors", network, card, overwrite=True)
    print(f"{written.name}: {written.steps} steps, sha256 {written.sha256}")


if __name__ == "__main__":
    main()
