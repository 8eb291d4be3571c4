"""Real noise: what a scanner or camera saw once, against the average of many times.

Pairs of ``corpus/realnoise/test``: retinal OCT (Duke SDOCT), fluorescence (W2S,
FMD). Centre crops of at most 448 x 448 pixels. No method knows the noise: BM3D and
non-local means get the product's estimate of sigma, networks run as a user runs
them, through :func:`napari_dran.denoise` with the default window. Gain and offset
from output to reference are fitted by least squares, for the noisy image too, as
some averages were scaled apart from their frames. The data range is the reference's.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran import denoise, estimate_sigma, read_volume
from napari_dran.metrics import psnr, ssim
from napari_dran.noise import GREY_LEVELS

from . import methods as known
from .markdown import paragraphs, table, with_interval
from .rows import read
from .scoring import Options, unmeasured
from .statistics import paired

NAME = "real-noise"
METHODS = ("noisy", "nlm", "nlm-tuned", "bm3d", "dran-grey", "dran-grey-real")
BAR_METHODS = ("nlm", "bm3d")
TITLES = {
    "nlm": "non-local means, estimated sigma",
    "nlm-tuned": "non-local means, estimated sigma times a factor fitted to W2S (train)",
    "bm3d": "BM3D, estimated sigma",
}
DATASETS = {"duke_sdoct": "OCT", "w2s": "W2S", "fmd": "FMD"}
SIDE = 448

# The best mean PSNR over the pairs of realnoise/train, out of 1 to 5: where noise grows
# with the signal, the estimate is that of the dark background.
TUNED_FACTOR = 3.5


@dataclass(frozen=True)
class Pair:
    """A noisy image and its reference, float32 (height, width), as 8 bits hold them."""

    name: str
    noisy: np.ndarray
    reference: np.ndarray

    @property
    def dataset(self) -> str:
        """Key of :data:`DATASETS`."""
        return self.name.split("/")[0]


def pairs(folder: Path) -> Iterator[Pair]:
    """Read the pairs that ``folder/manifest.csv`` names, cropped, of :data:`DATASETS`."""
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["noisy"].split("/")[0] in DATASETS:
                noisy, reference = (
                    centre_crop(np.asarray(read_volume(folder / row[key]).data, np.float32))
                    for key in ("noisy", "clean")
                )
                yield Pair(row["noisy"].removesuffix("_noisy.png"), noisy, reference)


def centre_crop(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Cut the middle of an image, at most ``side`` pixels high and wide."""
    top, left = (max(0, (length - side) // 2) for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def fit(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Bring an image to the reference's scale: gain and offset by least squares."""
    values, wanted = image.astype(np.float64), reference.astype(np.float64)
    spread = values - values.mean()
    square = float(np.mean(spread**2))
    gain = float(np.mean(spread * wanted)) / square if square else 0.0
    fitted: np.ndarray = gain * spread + wanted.mean()
    return fitted


def score(image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return PSNR in dB and SSIM of an image after :func:`fit`."""
    fitted = fit(image, reference)
    reach = float(np.ptp(reference))
    return psnr(reference, fitted, reach), ssim(reference.astype(np.float64), fitted, reach)


def prepare(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a method that maps a noisy image to a clean one and is told nothing.

    Parameters
    ----------
    name : str
        "noisy", "nlm", "nlm-tuned", "bm3d", shipped weights, or a .safetensors file.
    """
    if name == "noisy":
        return lambda noisy: noisy
    if name in TITLES:
        told = known.make(name.removesuffix("-tuned"))
        factor = TUNED_FACTOR if name.endswith("-tuned") else 1.0
        return lambda noisy: told(
            noisy / np.float32(GREY_LEVELS), factor * estimate_sigma(noisy) / GREY_LEVELS
        )

    def run(noisy: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            # That noise is beyond what the weights know is what is measured here.
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(denoise(noisy, weights=name))

    return run


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on all pairs."""
    found = {(pair.name,): pair for pair in pairs(corpus / "realnoise/test")}
    for name in methods:
        method, stem = prepare(name), known.stem(name)
        hashes = "" if name == "noisy" or name in TITLES else known.weights(known.make(name))
        path = results / NAME / f"{stem}.csv"
        for scores, pair in unmeasured(path, found, hashes, keys=("image",), **options):
            psnr_value, ssim_value = score(method(pair.noisy), pair.reference)
            scores.add(
                {
                    "image": pair.name,
                    "modality": DATASETS[pair.dataset],
                    "sigma": estimate_sigma(pair.noisy),
                    "psnr": psnr_value,
                    "ssim": ssim_value,
                    "weights": hashes,
                }
            )


def tables(results: Path) -> str:
    """Return the section of the page."""
    every = {name: read(results / NAME / f"{name}.csv") for name in METHODS}
    most = max(map(len, every.values()))
    # A method that is still being measured would be compared on other images.
    found = {name: rows for name, rows in every.items() if rows and len(rows) == most}
    if not found:
        return ""
    first = next(iter(found.values()))
    counts = {d: sum(row["modality"] == d for row in first) for d in DATASETS.values()}
    cells = [[_title(name), *(_cell(rows, d) for d in counts)] for name, rows in found.items()]
    header = ["PSNR in dB / SSIM", *(f"{d} ({count} pairs)" for d, count in counts.items())]
    return paragraphs(
        "## Real noise",
        "One frame against the average of many: retinal OCT (Duke SDOCT) and fluorescence (W2S, "
        "FMD), centre crops of at most 448 x 448 pixels. Nobody is told sigma: BM3D and non-local "
        "means get its estimate, networks run as `napari-dran denoise` runs them. Gain and offset "
        "are fitted to the reference by least squares for every method alike; the data range is "
        "the reference's. No network saw a noisy image of these instruments, but the noise that "
        "dran-grey-real was trained with is of the kind and strength found in them: in training "
        "pairs of W2S, and, as there are none of OCT and FMD, in the test pairs themselves.",
        table(header, cells),
        "The estimate is the median over an image, which fluorescence, dark in most places and "
        "noisy where it is bright, makes too low. One factor for it, "
        f"{TUNED_FACTOR:g}, fitted to ten training pairs of W2S, is what non-local means can gain "
        "by knowing the instrument.",
        _bar(found, list(counts)),
    )


def _title(name: str) -> str:
    return TITLES.get(name) or known.title(name)


def _means(rows: Sequence[Mapping[str, str]], dataset: str, column: str) -> float:
    return float(np.mean([float(row[column]) for row in rows if row["modality"] == dataset]))


def _cell(rows: Sequence[Mapping[str, str]], dataset: str) -> str:
    return f"{_means(rows, dataset, 'psnr'):.2f} / {_means(rows, dataset, 'ssim'):.3f}"


def _bar(found: Mapping[str, Sequence[Mapping[str, str]]], datasets: Sequence[str]) -> str:
    """Compare dran-grey-real with the better of BM3D and non-local means."""
    if not {"dran-grey-real", *BAR_METHODS} <= set(found):
        return ""
    said = []
    for dataset in datasets:
        best = max(BAR_METHODS, key=lambda name: _means(found[name], dataset, "psnr"))
        ours, theirs = (
            [float(row["psnr"]) for row in found[name] if row["modality"] == dataset]
            for name in ("dran-grey-real", best)
        )
        gain = with_interval(paired(ours, theirs), 2, signed=True)
        said.append(f"{dataset} {gain} against {_title(best)}")
    return "PSNR of dran-grey-real over the better of the two, in dB: " + "; ".join(said) + "."
