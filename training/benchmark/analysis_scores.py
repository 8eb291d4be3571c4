"""Scores of networks that segment or detect, on noisy and denoised images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from napari_dran.weights import Card

from .analysis_images import STORE, Denoiser
from .labelled_images import SIGMAS, Case
from .rows import Table
from .scoring import Progress

KEYS = ("image", "sigma", "network")
NOISY = "noisy"
METHODS = ("noisy", "nlm", "bm3d", "dncnn", "dran-same", "dran")
CLEAN = 0.0
"""The sigma of clean images: they are noisy ones without noise."""

RANGE = (0.0, 1.0)
"""What networks see as [0, 1]: of the images here, the 0 to 255 of their files."""

HASH = 12
"""Digits of a hash in tables."""


class Scorer(Protocol):
    """A network, and how what it finds is compared with the truth."""

    card: Card

    def __call__(self, case: Case, image: np.ndarray) -> Mapping[str, object]:
        """Return the cells of a row; every scorer of an experiment has the same ones."""
        ...


def measure_networks(
    images: Sequence[Case],
    folder: Path,
    methods: Sequence[str],
    scorers: Mapping[str, Scorer],
    *,
    again: bool = False,
    progress: Progress = lambda name, done, total: None,
    store: Path = STORE,
) -> None:
    """Score networks on noisy images and on those that were denoised and kept.

    Denoised images that are not in the store are left out: ``analysis-images`` makes
    them, and the next call adds their rows.

    Parameters
    ----------
    images : sequence of Case
        The clean images.
    folder : Path
        Gets ``<method>.csv``.
    methods : sequence of str
        Names of denoisers; "noisy" for none, which includes the clean images.
    scorers : mapping
        Name of a network -> what scores it.
    again : bool
        Measure anew what is there.
    progress : callable
        Gets the method, and how many images are done and in all.
    store : Path
        Where denoised images are kept.

    Raises
    ------
    InputError
        Rows were measured with other weights, and ``again`` is false.
    """
    hashes = [scorer.card.sha256[:HASH] for scorer in scorers.values()]
    for name in methods:
        denoiser = Denoiser(name, store)
        table = Table(folder / f"{denoiser.name}.csv", KEYS, again=again)
        table.check_weights("+".join(filter(None, [denoiser.weights(), *hashes])))
        sigmas = (CLEAN, *SIGMAS) if denoiser.name == NOISY else SIGMAS
        work = [(sigma, case) for sigma in sigmas for case in images]
        for done, (sigma, case) in enumerate(work, start=1):
            image = None
            for network, scorer in scorers.items():
                if (case.name, sigma, network) in table:
                    continue
                image = _image(denoiser, case, sigma) if image is None else image
                if image is not None:
                    used = [denoiser.weights(case), scorer.card.sha256[:HASH]]
                    table.add(
                        {
                            "image": case.name,
                            "group": case.group,
                            "sigma": sigma,
                            "network": network,
                            **scorer(case, image),
                            "weights": "+".join(filter(None, used)),
                        }
                    )
            progress(denoiser.name, done, len(work))


def _image(denoiser: Denoiser, case: Case, sigma: float) -> np.ndarray | None:
    if denoiser.name == NOISY:
        return case.noisy(sigma)
    return denoiser.load(case, sigma) if denoiser.kept(case, sigma) else None
