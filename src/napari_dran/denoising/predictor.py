"""Running a network over slices: batches, memory, and devices that fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DeviceError, WeightsError
from ..intensity import Window, normalise, restore
from ..noise import constant_areas
from . import devices
from .ensemble import estimates
from .saturation import NoiseLimit

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..weights import Card


LEAST_SIDE = 32
"""In pixels. Smaller slices are reflected up to it: in one of 16 the corners that
:mod:`~napari_dran.network.corners` holds back are most of it."""


class Predictor:
    """Predicts the noise of slices with one network on one device.

    Parameters
    ----------
    network : Module
        Maps images (N, channels, H, W), the window at [0, 1], to their noise.
    card : Card
        What it is.
    device : torch.device
        Where it runs. The network moves there when it is first needed.

    Attributes
    ----------
    notes : tuple of str
        What the user should know about how it ran.
    """

    def __init__(self, network: nn.Module, card: Card, device: torch.device) -> None:
        self.network = network
        self.card = card
        self.device = device
        self.notes: tuple[str, ...] = ()
        self._per_pixel = devices.bytes_per_pixel(card.arguments)
        # Learnt from running out of memory: pixels that can be worked on at once.
        self._most_pixels: int | None = None

    def batch_size(self, slice_shape: tuple[int, int], wanted: int | None = None) -> int:
        """Return how many slices should be given at a time.

        Parameters
        ----------
        slice_shape : tuple of int
            Height and width.
        wanted : int, optional
            What the user asked for; otherwise what fits into memory.

        Raises
        ------
        OutOfMemoryError
            Not even one slice fits.
        """
        pixels = slice_shape[0] * slice_shape[1]
        fits = devices.choose_batch(self.device, pixels, self._per_pixel)
        return self._at_most(wanted or fits, pixels)

    def estimates(
        self,
        slices: Sequence[np.ndarray],
        windows: Sequence[Window | None],
        ensemble: int = 1,
    ) -> Iterator[list[np.ndarray]]:
        """Predict the noise of slices that are all of one shape, better with each pass.

        Parameters
        ----------
        slices : sequence of ndarray
            (height, width) or (height, width, 3), in the image's unit.
        windows : sequence of Window or None
            One for each.
        ensemble : int
            Passes, see :func:`~napari_dran.denoising.ensemble.estimates`.

        Yields
        ------
        list of ndarray
            float32, in the image's unit, zero where nothing may change. Slices
            that are constant, or wholly outside their window, have none; nor have
            constant areas, and next to saturated ones it is limited. The last of
            ``ensemble`` is the best.

        Raises
        ------
        OutOfMemoryError
            A single slice does not fit into the device's memory.
        DeviceError
            The device failed.
        WeightsError
            The network gives values that are not finite.
        """
        nothing = [np.zeros(pixels.shape, dtype=np.float32) for pixels in slices]
        asked = [
            (number, pixels, window, constant_areas(pixels))
            for number, (pixels, window) in enumerate(zip(slices, windows, strict=True))
            if window is not None and _holds_anything(pixels, window)
        ]
        if not asked:
            yield from [nothing] * ensemble
            return
        inputs = [_pad_small(normalise(_channels_first(p), window)) for _, p, window, _ in asked]
        changing = [_may_change(p, window, constant) for _, p, window, constant in asked]
        limits = [NoiseLimit(p, constant) for _, p, _, constant in asked]
        for predicted in estimates(self._predict, np.stack(inputs), ensemble):
            noises = list(nothing)
            for (number, pixels, window, _), noise, where, limit in zip(
                asked, predicted, changing, limits, strict=True
            ):
                cropped = _crop_small(noise, pixels.shape[:2])
                restored = restore(
                    cropped[0] if pixels.ndim == 2 else np.moveaxis(cropped, 0, -1), window
                )
                noises[number] = np.where(where, limit(restored), np.float32(0))
            yield noises

    def noise_of(
        self,
        slices: Sequence[np.ndarray],
        windows: Sequence[Window | None],
        ensemble: int = 1,
    ) -> list[np.ndarray]:
        """Return the last of :meth:`estimates`."""
        # Keeps only one of them: slices may be large.
        return deque(self.estimates(slices, windows, ensemble), maxlen=1).pop()

    def release(self) -> None:
        """Move the network off the device."""
        self.network.to("cpu")

    def _predict(self, images: np.ndarray) -> np.ndarray:
        """Run (N, channels, H, W) in parts, smaller ones where memory runs out."""
        parts: list[np.ndarray] = []
        pixels = images.shape[2] * images.shape[3]
        done, size = 0, self._at_most(len(images), pixels)
        while done < len(images):
            noise = self._forward(images[done : done + size])
            if noise is not None:
                parts.append(noise)
                done += len(noise)
                continue
            # Here, outside the handler, the failed pass holds no memory any more.
            devices.free_cache(self.device)
            if size == 1:
                raise devices.out_of_memory(self.device, pixels, self._per_pixel)
            size = max(1, size // 2)
            self._most_pixels = size * pixels
        return np.concatenate(parts)

    def _at_most(self, size: int, pixels: int) -> int:
        """Return a batch of ``size`` slices, or as many as are known to fit."""
        return size if self._most_pixels is None else max(1, min(size, self._most_pixels // pixels))

    def _forward(self, images: np.ndarray) -> np.ndarray | None:
        """Run the network once; None if memory ran out."""
        import torch

        try:
            # Not around a yield: the mode would leak into the caller's thread.
            with torch.inference_mode():
                batch = torch.from_numpy(images).to(self.device)
                noise: np.ndarray = self.network.to(self.device)(batch).float().cpu().numpy()
        except (RuntimeError, MemoryError) as error:
            if devices.lacks_operation(error) and self.device.type != "cpu":
                self.notes = (devices.handed_over(self.device, error),)
                self.device = torch.device("cpu")
                return self._forward(images)
            if not devices.ran_out_of_memory(error):
                # Not a RuntimeError: those get lost in napari's workers.
                raise DeviceError(
                    f"The network failed on {self.device}: {error}. Try device='cpu'."
                ) from error
            return None
        if not np.isfinite(noise).all():
            raise WeightsError(
                f"The weights {self.card.name!r} gave values that are not finite, so they are of "
                "no use. Choose other weights."
            )
        return noise


def _holds_anything(pixels: np.ndarray, window: Window) -> bool:
    """Tell whether a slice varies, and has values in the window."""
    if not window.contains(pixels).any():
        return False
    return any(_varies(sample) for sample in _channels_first(pixels))


def _may_change(pixels: np.ndarray, window: Window, constant: np.ndarray) -> np.ndarray:
    """Tell of each value of a slice whether noise may be taken from it."""
    changing: np.ndarray = window.contains(pixels)
    changing &= ~(constant if pixels.ndim == 2 else constant[..., None])
    return changing


def _varies(pixels: np.ndarray) -> bool:
    values = pixels if pixels.dtype.kind in "ui" else pixels[np.isfinite(pixels)]
    return bool(values.size) and bool(values.min() != values.max())


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _pad_small(image: np.ndarray) -> np.ndarray:
    """Reflect an image (channels, height, width) up to :data:`LEAST_SIDE`."""
    for axis in (1, 2):
        missing = LEAST_SIDE - image.shape[axis]
        if missing > 0:
            pad = [(0, 0)] * 3
            pad[axis] = (missing // 2, missing - missing // 2)
            # A single row has no other row to reflect.
            image = np.pad(image, pad, mode="symmetric" if image.shape[axis] == 1 else "reflect")
    return image


def _crop_small(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo :func:`_pad_small`: crop (channels, height, width) to ``shape``."""
    top, left = ((side - old) // 2 for side, old in zip(image.shape[1:], shape, strict=True))
    return image[:, top : top + shape[0], left : left + shape[1]]
