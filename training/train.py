"""Train the shipped denoising weights: ``python training/train.py grey --minutes 60``."""

from __future__ import annotations

import argparse

import torch

from napari_dran.training.denoising import Recipe, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["grey", "colour"])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--run", default=None, help="run folder, default runs/<kind>")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--initial", default=None, help="checkpoint to start from")
    options = parser.parse_args()
    warm = options.initial is not None
    initial = torch.load(options.initial, weights_only=True)["averaged"] if warm else None
    recipe = Recipe(
        channels=1 if options.kind == "grey" else 3,
        minutes=options.minutes,
        learning_rate=options.rate,
        # Weights that start from trained ones have parted their kernels already.
        start_temperature=1.0 if warm else Recipe.start_temperature,
    )
    train(
        recipe,
        f"{options.corpus}/train",
        f"{options.corpus}/val",
        options.run or f"runs/{options.kind}",
        device=options.device,
        initial=initial,
        report=lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    main()
