"""Running a network on one slice after the other, wherever it is to be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
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
    """A network and the device it runs on; several threads may share it.

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
        self.notes: tuple[str, ...] = ()
        self._network: nn.Module | None = None
        self._lock = Lock()

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
        with self._lock:
            return self._run(pixels, work)

    def load(self) -> None:
        """Load the network, if that has not been done; see ``load_weights`` for the errors."""
        if self._network is None:
            from ..network.folding import Foldable

            network = load_weights(self.weights)[0]
            if isinstance(network, Foldable):
                network.fold()
            self._network = network

    def free_cache(self) -> None:
        """Give back device memory that is kept for the next slice; the network stays."""
        devices.free_cache(self.device)

    def release(self) -> None:
        """Give back all device memory; the next run moves the network there again."""
        with self._lock:
            if self._network is not None:
                self._network.to("cpu")
            devices.free_cache(self.device)

    def _run(self, pixels: np.ndarray, work: Callable[[Any, Tensor], Found]) -> Found:
        import torch

        self.load()
        assert self._network is not None
        try:
            with torch.inference_mode():
                network = self._network.to(self.device)
                return work(network, torch.from_numpy(pixels)[None].to(self.device))
        except (RuntimeError, MemoryError) as error:
            if devices.lacks_operation(error) and self.device.type != "cpu":
                self.notes = (devices.handed_over(self.device, error),)
                self.device = devices.choose_device("cpu")
            elif devices.ran_out_of_memory(error):
                size = int(np.prod(pixels.shape[1:]))
                raise devices.out_of_memory(self.device, size, BYTES_PER_PIXEL) from error
            else:
                # Not a RuntimeError: those get lost in napari's workers.
                raise self._failed(error) from error
        return self._run(pixels, work)

    def _failed(self, error: Exception) -> DeviceError:
        return DeviceError(f"The network failed on {self.device}: {error}. Try device='cpu'.")
