"""The Denoiser: runs the network over the slices of images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Cancelled, DeviceError, InputError, WeightsError
from ..intensity import DEFAULT_WINDOW, Window, normalise, restore
from ..slices import slice_axis, slice_indices
from ..volume import Volume
from . import devices
from .blending import blend, check_dtype, check_strength
from .lazy import is_dask
from .plan import Plan, Step, crop_small, pad_small, present
from .result import Denoised
from .windows import choose_windows

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..weights import Card

AUTO = "auto"
GREY, COLOUR = "dran-grey", "dran-colour"


class Denoiser:
    """Denoises images, slice by slice; keeps its network ready for the next.

    Parameters
    ----------
    weights : str or Path
        Name of shipped weights or a .safetensors file. "auto" takes dran-colour
        for images with colour samples and dran-grey for all others.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps". On a device where PyTorch lacks an
        operation, the CPU takes over, which :attr:`notes` then says.
    batch : int, optional
        Slices that go to the network at a time. By default as many as fit into
        the device's memory, and one on a CPU. Halved when memory runs out.

    Raises
    ------
    DeviceError
        There is no such device.
    WeightsError
        Unknown or damaged weights.
    InputError
        A batch below one.
    """

    def __init__(
        self, weights: str | Path = AUTO, *, device: str = AUTO, batch: int | None = None
    ) -> None:
        if batch is not None and batch < 1:
            raise InputError(f"Expected a batch of at least one slice, got {batch}.")
        self.weights = weights
        self.device: torch.device = devices.choose_device(device)
        self.batch = batch
        self.notes: tuple[str, ...] = ()
        self._cards: dict[str | Path, Card] = {}
        self._networks: dict[str, nn.Module] = {}
        # Learnt from running out of memory, see _predict.
        self._most_pixels: int | None = None
        if weights != AUTO:
            self._read_card(weights)

    @classmethod
    def from_network(
        cls, network: nn.Module, card: Card, *, device: str = AUTO, batch: int | None = None
    ) -> Denoiser:
        """Make a denoiser of a network that is in memory, e.g. while it is trained.

        Parameters
        ----------
        network : Module
            Maps images (N, card.channels, H, W) to their noise. It is copied.
        card : Card
            What it is.
        device, batch
            As for the class.
        """
        from ..network.fused import fuse

        denoiser = cls(device=device, batch=batch)
        denoiser.weights = card.name
        denoiser._cards[card.name] = card
        # Fusing shares parameters with the network, and moving it moves them.
        fused = fuse(copy.deepcopy(network)).to(denoiser.device)
        denoiser._networks[_key(card)] = fused
        return denoiser

    def card(self, image: Any, axes: str | None = None) -> Card:
        """Return the card of the weights that ``image`` would be denoised with.

        Raises
        ------
        WeightsError
            The weights are for colour and the image is grey, or the reverse.
        """
        volume = as_volume(image, axes)
        return self._card_for(volume.rgb)

    def plan(
        self,
        image: np.ndarray | Volume,
        *,
        axes: str | None = None,
        window: str | tuple[float, float] | Window = DEFAULT_WINDOW,
        axis: int | str = 0,
        contrast_limits: tuple[float, float] | None = None,
    ) -> Plan:
        """Check the arguments and choose weights and window, without running.

        Parameters
        ----------
        image : ndarray, dask array, or Volume
            Integers or floats. NaN and inf are kept.
        axes : str, optional
            Axes of an array, see :class:`~napari_dran.volume.Volume`; guessed by
            default. Time points and channels are denoised one by one, colour
            samples together; alpha is left as it is.
        window : str, pair of float, or Window
            See :func:`~napari_dran.intensity.choose_window`. One for all time
            points; windows read off the image are chosen for each channel of a
            "c" axis on its own. For dask arrays, "percentile" looks at 16 slices.
        axis : int or str
            The axis that slices are cut across, see
            :func:`~napari_dran.slices.slice_axis`.
        contrast_limits : pair of float, optional
            What ``window="contrast-limits"`` means.

        Raises
        ------
        InputError
            An argument or image that cannot be worked on.
        WeightsError
            Weights that are unknown, or for other images.
        """
        volume = as_volume(image, axes)
        letter = slice_axis(volume.axes, axis)
        indices = slice_indices(volume.shape, volume.axes, axis)
        card = self._card_for(volume.rgb)
        windows = choose_windows(volume, window, contrast_limits, indices)
        return Plan(self, volume.data, volume.axes, letter, indices, windows, card)

    def stream(
        self,
        image: np.ndarray | Volume,
        *,
        axes: str | None = None,
        window: str | tuple[float, float] | Window = DEFAULT_WINDOW,
        axis: int | str = 0,
        contrast_limits: tuple[float, float] | None = None,
    ) -> Iterator[Step]:
        """Denoise slice by slice: :meth:`plan`, then :meth:`Plan.steps`."""
        plan = self.plan(
            image, axes=axes, window=window, axis=axis, contrast_limits=contrast_limits
        )
        return plan.steps()

    def run(
        self,
        image: np.ndarray | Volume,
        *,
        axes: str | None = None,
        window: str | tuple[float, float] | Window = DEFAULT_WINDOW,
        axis: int | str = 0,
        strength: float = 1.0,
        contrast_limits: tuple[float, float] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Denoised:
        """Denoise a whole image.

        Parameters
        ----------
        image, axes, window, axis, contrast_limits
            As for :meth:`plan`.
        strength : float
            Share of the noise to subtract, from 0 to 2; 0 changes nothing.
        progress : callable, optional
            Called with (slices done, slices in all); returns False to cancel.

        Returns
        -------
        Denoised
            A Volume for a Volume, otherwise an ndarray.

        Raises
        ------
        Cancelled
            ``progress`` returned False.
        InputError, WeightsError, DeviceError, OutOfMemoryError
            As for :meth:`plan` and :meth:`Plan.steps`.
        """
        strength = check_strength(strength)
        plan = self.plan(
            image, axes=axes, window=window, axis=axis, contrast_limits=contrast_limits
        )
        plan = replace(plan, data=np.asarray(plan.data))
        clean = plan.data.copy()
        noise = np.zeros(clean.shape, dtype=np.float32)
        steps = plan.steps()
        for step in steps:
            noise[step.index] = step.noise
            clean[step.index] = blend(clean[step.index], step.noise, strength)
            if progress is not None and progress(step.done, step.total) is False:
                steps.close()  # type: ignore[attr-defined]
                raise Cancelled(f"Cancelled after {step.done} of {step.total} slices.")
        return Denoised.of(image, clean, noise, plan, strength)

    def batch_size(self, card: Card, slice_shape: tuple[int, int]) -> int:
        """Return how many slices go to the network at a time.

        Raises
        ------
        OutOfMemoryError
            Not even one fits.
        """
        pixels = slice_shape[0] * slice_shape[1]
        fits = devices.choose_batch(self.device, pixels, devices.bytes_per_pixel(card.arguments))
        size = self.batch or fits
        return size if self._most_pixels is None else max(1, min(size, self._most_pixels // pixels))

    def noise_of_slices(
        self, slices: Sequence[np.ndarray], windows: Sequence[Window | None], card: Card
    ) -> list[np.ndarray]:
        """Predict the noise of slices that are all of one shape.

        Parameters
        ----------
        slices : sequence of ndarray
            (height, width) or (height, width, 3), in the image's unit.
        windows : sequence of Window or None
            One for each.
        card : Card
            From :meth:`card`.

        Returns
        -------
        list of ndarray
            float32, in the image's unit, zero where nothing may change.
        """
        inputs: list[np.ndarray] = []
        asked: list[int] = []
        noises = [np.zeros(pixels.shape, dtype=np.float32) for pixels in slices]
        for number, (pixels, window) in enumerate(zip(slices, windows, strict=True)):
            if window is not None and present(pixels, window):
                samples = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
                inputs.append(pad_small(normalise(samples, window)))
                asked.append(number)
        if not asked:
            return noises
        predicted = self._predict(np.stack(inputs), card)
        for number, noise in zip(asked, predicted, strict=True):
            pixels, window = slices[number], windows[number]
            assert window is not None
            cropped = crop_small(noise, pixels.shape[:2])
            restored = restore(
                cropped[0] if pixels.ndim == 2 else np.moveaxis(cropped, 0, -1), window
            )
            noises[number] = np.where(window.contains(pixels), restored, np.float32(0))
        return noises

    def free_cache(self) -> None:
        """Give back device memory that is kept for the next slice; the network stays."""
        devices.free_cache(self.device)

    def release(self) -> None:
        """Give back all device memory; the next run loads the weights again."""
        for network in self._networks.values():
            network.to("cpu")
        self.free_cache()

    def _card_for(self, rgb: bool) -> Card:
        weights = (COLOUR if rgb else GREY) if self.weights == AUTO else self.weights
        card = self._read_card(weights)
        if card.channels == (3 if rgb else 1):
            return card
        if rgb:
            raise WeightsError(
                f"The weights {card.name!r} are for grey images and this one has colour samples. "
                f"Choose {COLOUR!r} or 'auto'."
            )
        raise WeightsError(
            f"The weights {card.name!r} are for colour images and this one is grey. "
            f"Choose {GREY!r} or 'auto'."
        )

    def _read_card(self, weights: str | Path) -> Card:
        from ..weights import read_card

        if weights not in self._cards:
            self._cards[weights] = read_card(weights)
        return self._cards[weights]

    def _network(self, card: Card) -> nn.Module:
        if _key(card) not in self._networks:
            from ..network.fused import fuse
            from ..weights import load_weights

            weights = next(w for w, known in self._cards.items() if known is card)
            self._networks[_key(card)] = fuse(load_weights(weights)[0])
        return self._networks[_key(card)].to(self.device)

    def _predict(self, images: np.ndarray, card: Card) -> np.ndarray:
        """Run (N, channels, H, W) in parts, smaller ones where memory runs out."""
        parts: list[np.ndarray] = []
        done, size = 0, len(images)
        while done < len(images):
            noise = self._forward(images[done : done + size], card)
            if noise is not None:
                parts.append(noise)
                done += len(noise)
                continue
            # Here, outside the handler, the failed pass holds no memory any more.
            self.free_cache()
            pixels = images.shape[2] * images.shape[3]
            if size == 1:
                raise devices.out_of_memory(
                    self.device, pixels, devices.bytes_per_pixel(card.arguments)
                )
            size = max(1, size // 2)
            self._most_pixels = size * pixels
        return np.concatenate(parts)

    def _forward(self, images: np.ndarray, card: Card) -> np.ndarray | None:
        """Run the network once; None if memory ran out."""
        import torch

        try:
            with torch.inference_mode():
                batch = torch.from_numpy(images).to(self.device)
                noise: np.ndarray = self._network(card)(batch).float().cpu().numpy()
        except NotImplementedError as error:
            if self.device.type == "cpu":
                raise DeviceError(f"PyTorch cannot run {card.name!r} here: {error}") from error
            self.notes += (f"{self.device} lacks an operation, so the CPU did the work: {error}",)
            self.device = torch.device("cpu")
            return self._forward(images, card)
        except (RuntimeError, MemoryError) as error:
            if not devices.ran_out_of_memory(error):
                # Not a RuntimeError: those get lost in napari's workers.
                raise DeviceError(
                    f"The network failed on {self.device}: {error}. Try device='cpu'."
                ) from error
            return None
        if not np.isfinite(noise).all():
            raise WeightsError(
                f"The weights {card.name!r} gave values that are not finite, so they are of no "
                "use. Choose other weights."
            )
        return noise


def as_volume(image: Any, axes: str | None = None) -> Volume:
    """Return an array or Volume as a Volume of integers or floats.

    Raises
    ------
    InputError
        It is no image.
    """
    if isinstance(image, Volume):
        if axes and axes != image.axes:
            raise InputError(
                f"The volume has the axes {image.axes!r}, so axes={axes!r} cannot be given too."
            )
        volume = image
    else:
        data = image if is_dask(image) else np.asarray(image)
        volume = Volume(data, axes or "")
    check_dtype(volume.dtype)
    return volume


def _key(card: Card) -> str:
    return f"{card.name} {card.sha256}"
