"""The Denoiser: runs the network over the slices of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ..errors import Cancelled, InputError, WeightsError
from ..intensity import DEFAULT_WINDOW, Window
from ..slices import slice_axis, slice_indices
from ..volume import Volume
from . import devices
from .blending import blend, check_strength
from .ensemble import check_ensemble
from .images import as_volume
from .plan import Plan, PlanOptions, Step
from .predictor import Predictor
from .result import Denoised
from .suggestion import COLOUR, GREY
from .windows import choose_windows

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..weights import Card

AUTO = "auto"
COLOUR_CHANNELS = 3


class Denoiser:
    """Denoises images, slice by slice; keeps its network ready for the next.

    Parameters
    ----------
    weights : str or Path
        Name of shipped weights or a .safetensors file. "auto" takes dran-colour
        for images with colour samples and dran-grey for all others.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps". On a device where PyTorch lacks an
        operation, the CPU takes over, which the result's notes then say.
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
        if batch is not None and not (isinstance(batch, int | np.integer) and batch >= 1):
            raise InputError(f"Expected a batch of at least one slice, got {batch!r}.")
        self.weights = weights
        self.device: torch.device = devices.choose_device(device)
        self.batch = batch
        self._given: Card | None = None
        self._predictors: dict[str, Predictor] = {}
        if weights != AUTO:
            self._read_card(rgb=False)

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
        denoiser._given = card
        key = f"{card.name} {card.sha256}"
        form = fuse(network, card.scales, card.white)
        denoiser._predictors[key] = Predictor(form, card, denoiser.device)
        return denoiser

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how the networks ran."""
        return tuple(note for p in self._predictors.values() for note in p.notes)

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
        ensemble: int = 1,
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
        ensemble : int
            Orientations of each slice to average, 1 to 8: less noise is left, and as
            many times longer it takes, see :mod:`~napari_dran.denoising.ensemble`.

        Raises
        ------
        InputError
            An argument or image that cannot be worked on.
        WeightsError
            Weights that are unknown, or for other images.
        """
        ensemble = check_ensemble(ensemble)
        volume = as_volume(image, axes)
        letter = slice_axis(volume.axes, axis)
        indices = slice_indices(volume.shape, volume.axes, axis)
        card = self._card_for(volume.rgb)
        windows = choose_windows(volume, window, contrast_limits, indices)
        return Plan(self, volume.data, volume.axes, letter, indices, windows, card, ensemble)

    def stream(self, image: np.ndarray | Volume, **options: Unpack[PlanOptions]) -> Iterator[Step]:
        """Denoise slice by slice: :meth:`plan`, then :meth:`Plan.steps`.

        With an ensemble a slice comes several times, see there.
        """
        return self.plan(image, **options).steps()

    def run(
        self,
        image: np.ndarray | Volume,
        *,
        strength: float = 1.0,
        progress: Callable[[int, int], object] | None = None,
        **options: Unpack[PlanOptions],
    ) -> Denoised:
        """Denoise a whole image.

        Parameters
        ----------
        image : ndarray, dask array, or Volume
            As for :meth:`plan`.
        strength : float
            Share of the noise to subtract, from 0 to 2; 0 changes nothing.
        progress : callable, optional
            Called with (slices done, slices in all), with an ensemble (passes done,
            passes in all); returns False to cancel.
        **options
            ``axes``, ``window``, ``axis``, ``contrast_limits`` and ``ensemble``, as for
            :meth:`plan`.

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
        plan = self.plan(image, **options)
        plan = replace(plan, data=np.asarray(plan.data))
        clean = plan.data.copy()
        noise = np.zeros(clean.shape, dtype=np.float32)
        steps = plan.steps()
        for step in steps:
            noise[step.index] = step.noise
            clean[step.index] = blend(plan.data[step.index], step.noise, strength)
            if progress is not None and progress(step.done, step.total) is False:
                steps.close()  # type: ignore[attr-defined]
                raise Cancelled(f"Cancelled after {step.done} of {step.total} {plan.units}.")
        return Denoised.of(image, clean, noise, plan, strength)

    def predictor(self, card: Card) -> Predictor:
        """Return what runs the network of a card, loading its weights if need be.

        Raises
        ------
        WeightsError
            The file was replaced since its card was read.
        """
        key = f"{card.name} {card.sha256}"
        if key not in self._predictors:
            from ..network.fused import fuse
            from ..weights import load_weights

            weights = self._weights_for(card.channels == COLOUR_CHANNELS)
            network, read = load_weights(weights)
            if read.sha256 != card.sha256:
                raise WeightsError(
                    f"The weights {str(weights)!r} were replaced while this image was being "
                    "prepared. Denoise it again, with the new ones."
                )
            # Of what the file held before, nothing is needed any more.
            others = {k: p for k, p in self._predictors.items() if p.card.channels != card.channels}
            form = fuse(network, card.scales, card.white)
            self._predictors = {**others, key: Predictor(form, card, self.device)}
        return self._predictors[key]

    def free_cache(self) -> None:
        """Give back device memory that is kept for the next slice; the network stays."""
        devices.free_cache(self.device)

    def release(self) -> None:
        """Give back all device memory; the next run moves the weights there again."""
        for predictor in self._predictors.values():
            predictor.release()
        self.free_cache()

    def _card_for(self, rgb: bool) -> Card:
        card = self._read_card(rgb)
        if card.channels == (COLOUR_CHANNELS if rgb else 1):
            return card
        if rgb:
            raise WeightsError(
                f"The weights {card.name!r} are for grey images and this one has colour samples. "
                f"Choose {COLOUR!r} or 'auto'; or, if its last axis is no colour, name the axes, "
                "e.g. axes='zyx'."
            )
        raise WeightsError(
            f"The weights {card.name!r} are for colour images and this one is grey. "
            f"Choose {GREY!r} or 'auto'."
        )

    def _weights_for(self, rgb: bool) -> str | Path:
        if self.weights != AUTO:
            return self.weights
        return COLOUR if rgb else GREY

    def _read_card(self, rgb: bool) -> Card:
        """Read the card anew each time: the file may have been replaced, as by longer training."""
        if self._given is not None:
            return self._given
        from ..weights import read_card, require_task

        return require_task(read_card(self._weights_for(rgb)), "denoise")
