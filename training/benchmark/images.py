"""The clean images that methods are measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_dran.training.corpus import corpus_files, read_image
from napari_dran.training.evaluation import CATEGORIES

NUCLEI = "nuclei"
"""What tables call ``dsb2018/test``: microscopy, too, but apart from ``test``."""

# For the same choice whoever asks for a few images a modality.
FEW = 5


@dataclass(frozen=True)
class TestImage:
    """One clean image.

    Parameters
    ----------
    name : str
        ``modality/file.png``; it also decides the noise.
    modality : str
        Name of its folder, or "nuclei".
    pixels : ndarray
        float32 (height, width) or (height, width, 3) in [0, 1].
    """

    __test__ = False

    name: str
    modality: str
    pixels: np.ndarray


def test_images(corpus: Path) -> Iterator[TestImage]:
    """Yield the images of ``corpus/test``, then those of ``corpus/dsb2018/test``.

    Colour images whose three channels are equal are grey ones.
    """
    for path in corpus_files(corpus / "test"):
        yield _read(path)
    folder = corpus / "dsb2018/test/images"
    if folder.is_dir():
        for path in sorted(folder.glob("*.png")):
            yield _read(path, NUCLEI)


test_images.__test__ = False  # type: ignore[attr-defined]


def radiological_images(corpus: Path) -> list[TestImage]:
    """Return the few grey images of each radiological modality."""
    return [i for i in grey_images(corpus) if i.modality in CATEGORIES["radiology"]]


def grey_images(corpus: Path, count: int = FEW) -> Iterator[TestImage]:
    """Yield the first ``count`` grey images of each modality of ``corpus/test``."""
    seen: dict[str, int] = {}
    for image in test_images(corpus):
        seen[image.modality] = seen.get(image.modality, 0) + 1
        if image.modality != NUCLEI and image.pixels.ndim == 2 and seen[image.modality] <= count:
            yield image


def _read(path: Path, modality: str = "") -> TestImage:
    image = read_image(path)
    modality = modality or image.modality
    grey = all(np.array_equal(image.pixels[0], channel) for channel in image.pixels[1:])
    pixels = image.pixels[0] if grey else image.pixels.transpose(1, 2, 0)
    return TestImage(f"{modality}/{path.name}", modality, np.ascontiguousarray(pixels))
