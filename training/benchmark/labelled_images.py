"""The labelled test images that segmentation and detection are measured on, with noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from napari_dran.noise import GREY_LEVELS, add_gaussian
from napari_dran.training.evaluation import noise_seed
from napari_dran.training.labelled import LabelledImage, read_labelled

from .images import NUCLEI

SIGMAS = (50.0, 25.0, 10.0)
"""In the order of measuring: what matters most comes first, should the time run out."""

TUMOUR = "lgg"
FOLDERS = {TUMOUR: "lgg/test", NUCLEI: "dsb2018/test"}
"""Set of images -> its folder in the corpus."""


@dataclass(frozen=True)
class Case:
    """One clean image and what is in it.

    Parameters
    ----------
    name : str
        ``set/file.png``; it also decides the noise.
    group : str
        Its patient, or the kind of preparation.
    pixels : ndarray
        float32 (height, width) or (height, width, 3) in [0, 1].
    labels : ndarray
        int32 (height, width): 0 for background, each object its number.
    """

    name: str
    group: str
    pixels: np.ndarray
    labels: np.ndarray

    @property
    def kind(self) -> str:
        """The set it is of."""
        return self.name.partition("/")[0]

    @property
    def sequences(self) -> bool:
        """Whether the channels are images of their own, not a colour's."""
        return self.kind == TUMOUR

    def noisy(self, sigma: float) -> np.ndarray:
        """Add Gaussian noise to each channel, not clipped, the same at each call.

        Parameters
        ----------
        sigma : float
            Its standard deviation in grey levels of 255; 0 for the clean image.
        """
        return add_gaussian(self.pixels, sigma, noise_seed(self.name, sigma))


def cases(corpus: Path, kind: str) -> list[Case]:
    """Read a set: one image of every group first, then the second of each, and so on.

    Parameters
    ----------
    corpus : Path
        Holds the folders of :data:`FOLDERS`.
    kind : str
        Key of :data:`FOLDERS`.
    """
    return list(_in_turn([_case(kind, image) for image in read_labelled(corpus / FOLDERS[kind])]))


def _in_turn(found: Sequence[Case]) -> Iterator[Case]:
    groups: dict[str, list[Case]] = {}
    for case in found:
        groups.setdefault(case.group, []).append(case)
    for turn in zip_longest(*groups.values()):
        yield from (case for case in turn if case is not None)


def _case(kind: str, image: LabelledImage) -> Case:
    pixels = image.pixels.astype(np.float32) / np.float32(GREY_LEVELS)
    # The three sequences of a scan are three images, even where two are the same.
    grey = kind != TUMOUR and bool((pixels == pixels[..., :1]).all())
    return Case(
        f"{kind}/{image.name}",
        image.group,
        np.ascontiguousarray(pixels[..., 0]) if grey else pixels,
        image.labels,
    )
