"""Scores of networks that segment or detect, on noisy and denoised images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from napari_dran.errors import InputError
from napari_dran.weights import Card

from .analysis_images import STORE, Denoiser
from .labelled_images import SIGMAS, Case, cases
from .rows import Table
from .scoring import Progress

KEYS = ("image", "sigma", "network")
NOISY = "noisy"
DENOISERS = ("noisy", "nlm", "bm3d", "dncnn", "dran-same", "dran")
CLEAN = 0.0
"""The sigma of clean images: they are noisy ones without noise."""

RANGE = (0.0, 1.0)
"""What networks see as [0, 1]: of the images here, the 0 to 255 of their files."""

HASH = 12
"""Digits of a hash in tables."""


class Network(Protocol):
    """A network that segments or detects."""

    card: Card


N = TypeVar("N", bound=Network)


@dataclass(frozen=True)
class NetworkExperiment(Generic[N]):
    """Scores networks on noisy images and on those that were denoised and kept.

    Parameters
    ----------
    name : str
        Of the experiment and its folder of results.
    kind : str
        The set of images.
    weights : callable
        Returns the weights to score by default, by what tables call the network.
    load : callable
        Makes a network of weights.
    score : callable
        Compares what a network finds in an image with the truth; every row of an
        experiment has the same cells.
    """

    name: str
    kind: str
    weights: Callable[[], Mapping[str, str | Path]]
    load: Callable[[str | Path], N]
    score: Callable[[N, Case, np.ndarray], Mapping[str, object]]

    def __call__(
        self,
        corpus: Path,
        results: Path,
        methods: Sequence[str] = DENOISERS,
        *,
        again: bool = False,
        progress: Progress = lambda name, done, total: None,
        store: Path = STORE,
        weights: Mapping[str, str | Path] | None = None,
    ) -> None:
        """Measure what is not measured yet, or was with other weights.

        Denoised images that are not in the store are left out: ``analysis-images``
        makes them, and the next call adds their rows.

        Parameters
        ----------
        corpus, results : Path
            Folders of the images and of the CSV files.
        methods : sequence of str
            Names of denoisers; "noisy" for none, which includes the clean images.
        again, progress
            See :class:`training.benchmark.scoring.Options`. Rows of networks that are
            not among the weights, and of images that a denoiser has no weights for, stay
            in any case.
        store : Path
            Where denoised images are kept.
        weights : mapping, optional
            Name of a network -> its weights; by default those of the experiment.

        Raises
        ------
        InputError
            Rows are to be replaced, but the denoised images for that are not there.
        """
        images = cases(corpus, self.kind)
        chosen = self.weights() if weights is None else weights
        networks = {name: self.load(path) for name, path in chosen.items()}
        files = []
        for name in methods:
            denoiser = Denoiser(name, store)
            table = Table(results / self.name / f"{denoiser.name}.csv", KEYS)
            files.append((denoiser, table, _outdated(table, denoiser, images, networks, again)))
        # Nothing is thrown away before it is known that all of it can be replaced.
        for _, table, old in files:
            table.remove(old)
        for denoiser, table, _ in files:
            self._fill(table, denoiser, images, networks, progress)

    def _fill(
        self,
        table: Table,
        denoiser: Denoiser,
        images: Sequence[Case],
        networks: Mapping[str, N],
        progress: Progress,
    ) -> None:
        """Add the rows that a table lacks."""
        sigmas = (CLEAN, *SIGMAS) if denoiser.name == NOISY else SIGMAS
        work = [(sigma, case) for sigma in sigmas for case in images]
        for done, (sigma, case) in enumerate(work, start=1):
            lacking = [name for name in networks if (case.name, sigma, name) not in table]
            if lacking and _there(denoiser, case, sigma):
                image = case.noisy(sigma) if denoiser.name == NOISY else denoiser.load(case, sigma)
                for name in lacking:
                    table.add(
                        {
                            "image": case.name,
                            "group": case.group,
                            "sigma": sigma,
                            "network": name,
                            **self.score(networks[name], case, image),
                            "weights": _weights(denoiser, case, networks[name]),
                        }
                    )
            progress(denoiser.name, done, len(work))


def _weights(denoiser: Denoiser, case: Case, network: Network) -> str:
    """Return the hashes of what makes a row: of the denoiser, if it has weights, and network."""
    return "+".join(filter(None, [denoiser.weights(case), network.card.sha256[:HASH]]))


def _there(denoiser: Denoiser, case: Case, sigma: float) -> bool:
    return denoiser.name == NOISY or denoiser.kept(case, sigma)


def _outdated(
    table: Table,
    denoiser: Denoiser,
    images: Sequence[Case],
    networks: Mapping[str, Network],
    again: bool,
) -> list[tuple[str, ...]]:
    """Return the keys of rows that other weights made, or of all that can be made again."""
    named = {case.name: case for case in images}
    old, lacking = [], 0
    for key, row in table.rows.items():
        case, network = named.get(row["image"]), networks.get(row["network"])
        if case is None or network is None or not denoiser.takes(case):
            continue
        if again or row["weights"] != _weights(denoiser, case, network):
            old.append(key)
            lacking += not _there(denoiser, case, float(row["sigma"]))
    if lacking:
        raise InputError(
            f"{table.path}: {len(old)} rows are to be measured anew, since they were measured "
            f"with other weights or --again was given, but {lacking} of the denoised images for "
            f"that are not in {denoiser.store}. Make them first: python -m training.benchmark "
            f"analysis-images --methods {denoiser.name}"
        )
    return old
