"""Running a network on one slice after the other, wherever it is to be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..denoising import devices
from ..errors import DeviceError
from ..weights import load_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

BYTES_PER_PIXEL = 3000
"""Memory for each pixel of a slice, roughly, for the sentence that it was not enough."""

Found = TypeVar("Found")


class Runner:
    """A network and the device it runs on.

    Parameters
    ----------
    weights : str or Path
        Which network.
    device : str
        See :func:`~napari_dran.denoising.devices.choose_device`.
    """

    def __init__(self, weights: str | Path, device: str) -> None:
        self.device_name = device
        self.device = devices.choose_device(device)
        self.weights = weights
        self._network: nn.Module | None = None

    def run(self, pixels: np.ndarray, work: Callable[[Any, Tensor], Found]) -> Found:
        """Call ``work(network, pixels)`` on the device.

        Parameters
        ----------
        pixels : ndarray
            float32 (channels, height, width).
        work : callable
            Gets the network and the pixels as (1, channels, height, width).

        Raises
        ------
        OutOfMemoryError, DeviceError
            The device could not do it.
        """
        import torch

        if self._network is None:
            self._network = load_weights(self.weights)[0]
        try:
            with torch.inference_mode():
                network = self._network.to(self.device)
                return work(network, torch.from_numpy(pixels)[None].to(self.device))
        except (RuntimeError, MemoryError) as error:
            if devices.ran_out_of_memory(error):
                size = int(np.prod(pixels.shape[1:]))
                raise devices.out_of_memory(self.device, size, BYTES_PER_PIXEL) from error
            # Not a RuntimeError: those get lost in napari's workers.
            raise DeviceError(
                f"The network failed on {self.device}: {error}. Try device='cpu'."
            ) from error

    def release(self) -> None:
        """Give back all device memory."""
        if self._network is not None:
            self._network.to("cpu")
        devices.free_cache(self.device)
