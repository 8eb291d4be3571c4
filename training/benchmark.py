"""Compare denoisers on the test images: ``python training/benchmark.py --sigma 25``.

Protocol ``gaussian`` (see napari_dran.training.evaluation). Each method's scores
go to ``training/results/gaussian-<sigma>/<method>.csv``; the table beside it is
made of every CSV file that is there, so methods can be run one at a time.
BM3D (``pip install bm3d``) may be used for research only and is no dependency.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_dran.training.evaluation import (
    CATEGORIES,
    Mean,
    Method,
    NetworkMethod,
    Row,
    evaluate,
    summarise,
    write_rows,
)

# The best mean PSNR over three val images a modality at sigma 25, out of strengths
# 0.5 to 0.9 and patches of 3 to 7 pixels.
NLM_STRENGTH, NLM_PATCH, NLM_DISTANCE = 0.7, 5, 6

TITLES = {
    "noisy": "noisy",
    "nlm": "non-local means, told sigma",
    "bm3d": "BM3D, told sigma",
    "dran": "DRAN, blind",
}


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    return image


def non_local_means(image: np.ndarray, sigma: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    clean: np.ndarray = denoise_nl_means(
        image,
        patch_size=NLM_PATCH,
        patch_distance=NLM_DISTANCE,
        h=NLM_STRENGTH * sigma,
        sigma=sigma,
        fast_mode=True,
        channel_axis=-1 if image.ndim == 3 else None,
    )
    return clean


def bm3d(image: np.ndarray, sigma: float) -> np.ndarray:
    import bm3d as package

    run = package.bm3d_rgb if image.ndim == 3 else package.bm3d
    clean: np.ndarray = run(image, sigma)
    return clean


METHODS: dict[str, Callable[[], Method]] = {
    "noisy": lambda: noisy,
    "nlm": lambda: non_local_means,
    "bm3d": lambda: bm3d,
    "dran": NetworkMethod,
}


def read_rows(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [
            Row(row["image"], row["modality"], *(float(row[key]) for key in list(row)[2:]))
            for row in csv.DictReader(file)
        ]


def table(folder: Path) -> str:
    """Make a Markdown table: methods down, modalities and categories across."""
    results = {name: folder / f"{name}.csv" for name in METHODS}
    means: dict[str, dict[str, Mean]] = {
        name: {mean.group: mean for mean in summarise(read_rows(path))}
        for name, path in results.items()
        if path.exists()
    }
    groups = [g for members in CATEGORIES.values() for g in members]
    groups = [*(c for c in CATEGORIES if c not in groups), *groups]
    groups = [g for g in groups if any(g in mean for mean in means.values())]
    lines = [
        f"| PSNR in dB / SSIM | {' | '.join(groups)} |",
        f"|---|{'---|' * len(groups)}",
    ]
    for name, mean in means.items():
        best = [_is_best(name, group, means) for group in groups]
        cells = [_cell(mean.get(g), b) for g, b in zip(groups, best, strict=True)]
        lines.append(f"| {TITLES[name]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(mean: Mean | None, best: bool) -> str:
    if mean is None:
        return ""
    psnr = f"**{mean.psnr:.2f}**" if best else f"{mean.psnr:.2f}"
    return f"{psnr} / {mean.ssim:.3f}"


def _is_best(name: str, group: str, means: dict[str, dict[str, Mean]]) -> bool:
    scores = {key: mean[group].psnr for key, mean in means.items() if group in mean}
    return bool(scores) and max(scores, key=lambda key: scores[key]) == name


def counter(name: str) -> Callable[[int, int], None]:
    return lambda done, total: print(f"\r{name} {done}/{total}", end="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--sigma", type=float, default=25.0)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--output", default="training/results", type=Path)
    options = parser.parse_args()
    folder = options.output / f"gaussian-{options.sigma:g}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.methods:
        rows = evaluate(
            f"{options.corpus}/test",
            sigmas=[options.sigma],
            method=METHODS[name](),
            progress=counter(name),
        )
        print()
        write_rows(rows, folder / f"{name}.csv", overwrite=True)
    text = table(folder)
    heading = (
        f"# Gaussian noise of sigma {options.sigma:g} of 255, corpus/test\n\n"
        "Made by `training/benchmark.py`; means over 20 images a modality, categories over all of "
        "theirs. The best PSNR of each column is bold.\n\n"
    )
    (options.output / f"gaussian-{options.sigma:g}.md").write_text(heading + text)
    print(text)


if __name__ == "__main__":
    main()
