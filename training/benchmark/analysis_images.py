"""Denoised test images of segmentation and detection, kept so that they are made once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_dran.files.atomic import writing
from napari_dran.training.methods import Method

from . import methods as known
from .images import NUCLEI
from .labelled_images import FOLDERS, SIGMAS, TUMOUR, Case, cases
from .markdown import paragraphs, table
from .networks import RUNS
from .rows import Table, read
from .scoring import Progress, as_levels, score

NAME = "analysis-images"
METHODS = ("dran", "nlm", "dncnn", "dran-same", "bm3d")
"""In the order of measuring: BM3D takes hours."""

STORE = RUNS.parent / "denoised"
"""Where the images are kept; git ignores it."""

JOINT = ("bm3d",)
"""Methods that take the three sequences of a scan at once."""

TEXT = """\
Does denoising help what comes after it (section 4.3 of the paper)? A U-Net and a Mask R-CNN that
were trained on clean images are shown clean, noisy and denoised images of patients they have
never seen: `lgg/test`, 100 slices of the brain of 17 patients, 83 of them with a low-grade
glioma, and `dsb2018/test`, 51 micrographs of nuclei. White Gaussian noise of standard deviation
sigma, in grey levels of 255, is added without clipping, from a fixed seed for each image. What a
denoiser returns is clipped to the range of the clean image.

The three channels of a slice of `lgg` are three MR sequences (before contrast, FLAIR, after
contrast), not a colour: each gets noise of its own and is denoised by itself, by DRAN with the
grey weights. BM3D alone is given all three at once, as a colour image with one sigma, since one
by one they would take hours; that gives it more to go by than the others have, most of all in the
one patient (six slices) whose missing sequence is a copy of another. Sequences beside each other
share their noise in no scanner, but they do share their anatomy. BM3D and non-local means are
told sigma. DnCNN and "DRAN, same training" are the networks of the section on ablations, trained
for the same few steps; they say nothing of what DnCNN can reach.

Intervals hold 95 % of bootstrap means over whole patients (nuclei: over kinds of preparation), of
which there are few. "Recovered" is (denoised - noisy) / (clean - noisy) on the same images; where
noise takes less than 0.02 it is left out."""

UNFINISHED = """\
A method with fewer images than the others is still to
be finished; its share and the differences below are those of the images it has."""

FOLLOWED_BY = ("segmentation", "detection", "nuclei")
"""Experiments that measure what networks find in these images."""

TITLES = {TUMOUR: "brain MR (lgg)", NUCLEI: "nuclei (dsb2018)"}


class Denoiser:
    """A method with its store of denoised images.

    Parameters
    ----------
    name : str
        Of the method.
    store : Path
        Folder of the images.
    """

    def __init__(self, name: str, store: Path = STORE) -> None:
        self.name, self.store = known.stem(name), store
        self.method: Method = known.make(name)

    def weights(self, case: Case | None = None) -> str:
        """Return the hash of the weights for an image, or of all."""
        return known.weights(self.method, None if case is None else self._channels(case))

    def takes(self, case: Case) -> bool:
        """Whether there are weights for an image of this kind."""
        return known.takes(self.method, self._channels(case))

    def path(self, case: Case, sigma: float) -> Path:
        """Return where the denoised image is kept; other weights have another folder."""
        folder = "-".join(filter(None, [self.name, self.weights(case)]))
        return self.store / case.kind / folder / f"{sigma:g}" / f"{Path(case.name).stem}.npy"

    def kept(self, case: Case, sigma: float) -> bool:
        """Whether the denoised image is there already."""
        return self.takes(case) and self.path(case, sigma).is_file()

    def load(self, case: Case, sigma: float) -> np.ndarray:
        """Return the denoised image that was kept, float32, as large as the clean one."""
        kept: np.ndarray = np.load(self.path(case, sigma))
        return kept.astype(np.float32)

    def make(self, case: Case, sigma: float) -> np.ndarray:
        """Denoise the noisy image, clip it to [0, 1], and keep it in half precision.

        Its steps are 0.12 grey levels of 255 wide at most.
        """
        noisy, told = case.noisy(sigma), as_levels(sigma)
        if case.sequences and self.name not in JOINT:
            planes = np.moveaxis(noisy, -1, 0)
            clean = np.stack([self.method(np.ascontiguousarray(p), told) for p in planes], -1)
        else:
            clean = self.method(noisy, told)
        path = self.path(case, sigma)
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path, overwrite=True) as temporary:
            np.save(temporary, np.clip(clean, 0, 1).astype(np.float16))
        return self.load(case, sigma)

    def _channels(self, case: Case) -> int:
        if case.pixels.ndim == 2 or (case.sequences and self.name not in JOINT):
            return 1
        return int(case.pixels.shape[2])


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    *,
    again: bool = False,
    progress: Progress = lambda name, done, total: None,
    store: Path = STORE,
) -> None:
    """Denoise the test images and note how close each is to the clean one.

    Sigma by sigma, at each one method after the other. What is in the store already is
    not denoised again, not even with ``again``.
    """
    images = [case for kind in FOLDERS for case in cases(corpus, kind)]
    denoisers = [Denoiser(name, store) for name in methods]
    tables = [Table(results / NAME / f"{d.name}.csv", again=again) for d in denoisers]
    for scores, denoiser in zip(tables, denoisers, strict=True):
        scores.check_weights(denoiser.weights())
    for sigma in SIGMAS:
        for scores, denoiser in zip(tables, denoisers, strict=True):
            for done, case in enumerate(images, start=1):
                if denoiser.takes(case) and (case.name, sigma) not in scores:
                    scores.add(_row(denoiser, case, sigma))
                progress(f"{denoiser.name} at sigma {sigma:g}", done, len(images))


def _row(denoiser: Denoiser, case: Case, sigma: float) -> dict[str, object]:
    kept = denoiser.kept(case, sigma)
    image = denoiser.load(case, sigma) if kept else denoiser.make(case, sigma)
    return {
        "image": case.name,
        "set": case.kind,
        "sigma": sigma,
        **score(case.pixels, image),
        "weights": denoiser.weights(case),
    }


def tables(results: Path) -> str:
    """Return the head of the section: what networks are shown, and how clean it is."""
    counts = [_counts(results / name) for name in FOLLOWED_BY]
    if not any(counts):
        return ""
    unfinished = any(len(set(c.values())) > 1 for cells in counts for c in cells.values())
    text = f"{TEXT} {UNFINISHED}" if unfinished else TEXT
    parts = [_table(results, sigma) for sigma in sorted(SIGMAS)]
    return paragraphs("## Segmentation and detection", text, *parts)


def _counts(folder: Path) -> dict[tuple[str, str], dict[str, int]]:
    """Return how many images each method was measured on, by network and sigma."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for name in known.METHODS:
        for row in read(folder / f"{name}.csv"):
            cell = found.setdefault((row["network"], row["sigma"]), {})
            cell[name] = cell.get(name, 0) + 1
    return found


def _table(results: Path, sigma: float) -> str:
    """Methods down, sets across, PSNR / SSIM."""
    rows = []
    for name in known.METHODS:
        found = [r for r in read(results / NAME / f"{name}.csv") if float(r["sigma"]) == sigma]
        if found:
            rows.append([known.title(name), *(_cell(found, kind) for kind in FOLDERS)])
    header = [f"sigma {sigma:g}: PSNR in dB / SSIM", *(TITLES[kind] for kind in FOLDERS)]
    return table(header, rows) if rows else ""


def _cell(rows: Sequence[dict[str, str]], kind: str) -> str:
    mine = [row for row in rows if row["set"] == kind]
    if not mine:
        return ""
    means = {key: np.mean([float(row[key]) for row in mine]) for key in ("psnr", "ssim")}
    return f"{means['psnr']:.2f} / {means['ssim']:.3f} ({len(mine)})"
