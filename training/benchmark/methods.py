"""The denoisers that are compared, by name.

Each maps a noisy float32 image (height, width[, 3]), not clipped, and the standard
deviation of its noise, both in units of [0, 1] images, to the clean image. BM3D
(``pip install bm3d``) may be used for research only and is no dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_dran.denoising import MAX_ENSEMBLE
from napari_dran.errors import DranError, InputError
from napari_dran.training.methods import Method, NetworkMethod
from napari_dran.weights import SUFFIX, read_card

from .networks import RUNS, weights_of

# The best mean PSNR over three val images a modality at sigma 25, out of strengths
# 0.5 to 0.9 and patches of 3 to 7 pixels.
NLM_STRENGTH, NLM_PATCH, NLM_DISTANCE = 0.7, 5, 6


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    """Do nothing."""
    return image


def non_local_means(image: np.ndarray, sigma: float) -> np.ndarray:
    """Take the mean of pixels with similar surroundings (Buades et al. 2005)."""
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
    """Filter blocks of similar patches (Dabov et al. 2007), in the authors' package."""
    import bm3d as package

    run = package.bm3d_rgb if image.ndim == 3 else package.bm3d
    clean: np.ndarray = run(image, sigma)
    return clean


class Network:
    """Weights for grey images, for colour images, or both, as a :data:`Method`.

    Parameters
    ----------
    *weights : str or Path
        Shipped names or .safetensors files, of different channels.
    scales : int, optional
        Scales to run them at; by default those of their cards.
    ensemble : int
        Orientations to average.
    """

    def __init__(self, *weights: str | Path, scales: int | None = None, ensemble: int = 1) -> None:
        cards = [read_card(name) for name in weights]
        self.cards = {card.channels: card for card in cards}
        self._methods = {
            card.channels: NetworkMethod(name, scales=scales, ensemble=ensemble)
            for card, name in zip(cards, weights, strict=True)
        }

    def weights(self, channels: int | None = None) -> str:
        """Return the first digits of the SHA-256 of one file, or of each."""
        wanted = sorted(self.cards) if channels is None else [channels]
        return "+".join(self.cards[key].sha256[:12] for key in wanted)

    def takes(self, channels: int) -> bool:
        """Whether there are weights for images of that many channels."""
        return channels in self._methods

    def __call__(self, image: np.ndarray, sigma: float = 0.0) -> np.ndarray:
        """Denoise an image (height, width) or (height, width, 3)."""
        return self._methods[1 if image.ndim == 2 else image.shape[2]](image, sigma)


METHODS: dict[str, tuple[str, Callable[[], Method]]] = {
    "noisy": ("noisy", lambda: noisy),
    "nlm": ("non-local means, told sigma", lambda: non_local_means),
    "bm3d": ("BM3D, told sigma", lambda: bm3d),
    "dncnn": ("DnCNN, same training", lambda: trained("dncnn")),
    "residual-mid": ("residual MID, same training", lambda: trained("residual-mid")),
    "dran-same": ("DRAN, same training", lambda: trained("dran")),
    "dran": ("DRAN, shipped weights", lambda: Network("dran-grey", "dran-colour")),
    "dran-one-scale": (
        "DRAN, shipped weights, one scale",
        lambda: Network("dran-grey", "dran-colour", scales=1),
    ),
    "dran-ensemble": (
        f"DRAN, shipped weights, ensemble of {MAX_ENSEMBLE}",
        lambda: Network("dran-grey", "dran-colour", ensemble=MAX_ENSEMBLE),
    ),
    "dran-grey": ("DRAN, dran-grey", lambda: Network("dran-grey")),
    "dran-colour": ("DRAN, dran-colour", lambda: Network("dran-colour")),
    "dran-grey-real": ("DRAN, dran-grey-real", lambda: Network("dran-grey-real")),
}
"""Name -> what tables call it, and what makes it; in the tables' order."""

SHIPPED = ("dran", "dran-one-scale", "dran-ensemble", "dran-grey", "dran-colour", "dran-grey-real")
"""Those that are the weights of the package."""


def make(name: str) -> Method:
    """Return the method of a name, or of a .safetensors file.

    Raises
    ------
    InputError
        There is no such method, or its network is not trained yet.
    WeightsError
        A weights file that is missing or damaged.
    """
    if name.endswith(SUFFIX):
        return Network(name)
    if name not in METHODS:
        raise InputError(
            f"There is no method {name!r}. Expected one of {', '.join(METHODS)}, or the path of a "
            f"{SUFFIX} file."
        )
    return METHODS[name][1]()


def trained(name: str, runs: Path = RUNS) -> Network:
    """Return a network of ``train-networks``, with its colour twin if that is trained."""
    twin = runs / f"{name}-colour"
    colour = [weights_of(twin.name, runs)] if twin.is_dir() else []
    # At one scale, as the networks they are compared with.
    return Network(weights_of(name, runs), *colour, scales=1)


def missing(name: str) -> str:
    """Say why a method cannot be used here and now; "" if it can."""
    try:
        if name in METHODS:
            make(name)
    except DranError as error:
        return str(error)
    return ""


def title(name: str) -> str:
    """Return what tables call a method; ``name`` may also be the stem of a file."""
    return METHODS[name][0] if name in METHODS else stem(name)


def stem(name: str) -> str:
    """Return the name of a method's CSV file, without suffix."""
    return Path(name).stem if name.endswith(SUFFIX) else name


def takes(method: Method, channels: int) -> bool:
    """Whether a method can be used on images of that many channels."""
    return not isinstance(method, Network) or method.takes(channels)


def weights(method: Method, channels: int | None = None) -> str:
    """Return the hash of a method's weights for images of so many channels, or of all; or ""."""
    return method.weights(channels) if isinstance(method, Network) else ""
