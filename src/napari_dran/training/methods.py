"""What is measured: methods that take noise away, networks among them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..denoising.denoiser import AUTO
from ..denoising.ensemble import check_ensemble, estimates
from ..denoising.suggestion import COLOUR, GREY
from ..errors import WeightsError

if TYPE_CHECKING:
    from ..weights import Card

Method = Callable[[np.ndarray, float], np.ndarray]
"""Maps a noisy float32 image (height, width[, 3]), not clipped, and the standard
deviation of its noise, both in units of [0, 1] images, to the clean image."""

AUTO_WEIGHTS = {1: GREY, 3: COLOUR}
"""Weights that "auto" takes for images of one and of three channels."""


class NetworkMethod:
    """Weights as a :data:`Method`. The network is not told sigma.

    Parameters
    ----------
    weights : str or Path
        A shipped name, a .safetensors file, or "auto": :data:`AUTO_WEIGHTS` by
        the channels of each image.
    device : str
        "auto", or a torch device.
    scales : int, optional
        Scales to run them at; by default those of their card.
    ensemble : int
        Orientations to average, see :mod:`~napari_dran.denoising.ensemble`.

    Raises
    ------
    WeightsError
        There are no such weights, or they are for another task.
    """

    def __init__(
        self,
        weights: str | Path = AUTO,
        device: str = AUTO,
        scales: int | None = None,
        ensemble: int = 1,
    ) -> None:
        from ..denoising.devices import choose_device
        from ..weights import load_weights, require_task

        self._device = choose_device(device)
        self._load = load_weights
        self._scales = scales
        self._ensemble = check_ensemble(ensemble)
        self._networks: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
        self._by_channels = dict(AUTO_WEIGHTS)
        self.weights = str(weights)
        if self.weights != AUTO:
            card = require_task(_read_card(weights), "denoise")
            self._by_channels = {card.channels: str(weights)}

    def takes(self, channels: int) -> bool:
        """Whether there are weights for images of that many channels."""
        return channels in self._by_channels

    def __call__(self, noisy: np.ndarray, sigma: float = 0.0) -> np.ndarray:
        """Denoise an image (height, width) or (height, width, 3)."""
        name = self._by_channels[1 if noisy.ndim == 2 else noisy.shape[2]]
        if name not in self._networks:
            self._networks[name] = self._prepare(name)
        clean: np.ndarray = noisy - self._networks[name](noisy)
        return clean

    def _prepare(self, name: str) -> Callable[[np.ndarray], np.ndarray]:
        import torch

        from ..network.fused import fuse

        loaded, card = self._load(name)
        network = fuse(loaded, self._scales or card.scales, card.white).to(self._device)

        def run(images: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                tensor = torch.from_numpy(images).to(self._device)
                noise: np.ndarray = network(tensor).float().cpu().numpy()
            return noise

        def predict(noisy: np.ndarray) -> np.ndarray:
            planes = noisy[None, None] if noisy.ndim == 2 else noisy.transpose(2, 0, 1)[None]
            images = np.ascontiguousarray(planes, dtype=np.float32)
            noises = deque(estimates(run, images, self._ensemble), maxlen=1).pop()
            noise: np.ndarray = noises[0, 0] if noisy.ndim == 2 else noises[0].transpose(1, 2, 0)
            return noise

        return predict


def _read_card(weights: str | Path) -> Card:
    """Read a card; say what to name instead of a folder, which ``train --weights`` takes."""
    from ..weights import SUFFIX, read_card
    from .run_folder import BEST

    try:
        return read_card(weights)
    except WeightsError as error:
        folder = Path(weights).expanduser()
        if not folder.is_dir():
            raise
        best = folder / BEST
        run = f", here {best}, the best of that training run" if best.is_file() else ""
        raise WeightsError(
            f"Expected a {SUFFIX} file, got the folder {folder}. Name the file{run}."
        ) from error
