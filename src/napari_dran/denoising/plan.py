"""The plan of a run: everything checked and chosen before the first slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from ..intensity import Window
from ..noise import GREY_LEVELS, median_of_positive, sigma_of_slice
from ..noise_kind import NoiseKind, noise_kind
from ..slices import Index, sample_evenly
from .ensemble import units
from .provenance import Provenance
from .suggestion import suggest_weights

if TYPE_CHECKING:
    from ..weights import Card
    from .denoiser import Denoiser

LEAST_INSIDE = 0.01


class PlanOptions(TypedDict, total=False):
    """How an image is denoised; what each means is said at :meth:`Denoiser.plan`."""

    axes: str | None
    window: str | tuple[float, float] | Window
    axis: int | str
    contrast_limits: tuple[float, float] | None
    ensemble: int


@dataclass(frozen=True)
class Step:
    """The noise of one slice.

    Parameters
    ----------
    done, total : int
        Passes done, this one included, and in all: one for each slice, or as many
        as the ensemble has. A slice of several passes has as many steps, each
        with a better estimate of its noise.
    index : Index
        Selects the slice: ``image[index] - noise`` is the clean one.
    noise : ndarray
        float32 (height, width) or (height, width, 3), in the image's unit, zero
        where nothing may change.
    """

    done: int
    total: int
    index: Index
    noise: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run will do, made by :meth:`Denoiser.plan`.

    Parameters
    ----------
    denoiser : Denoiser
        Runs the network.
    data : ndarray or dask array
        The image.
    axes : str
        Its axes.
    axis : str
        The axis that slices are cut across.
    indices : list of Index
        The slices, in order.
    windows : tuple of Window or None
        One for each channel of a "c" axis, otherwise just one. None where the
        channel is constant.
    card : Card
        The weights'.
    ensemble : int
        Orientations of each slice that are averaged.
    """

    denoiser: Denoiser
    data: Any
    axes: str
    axis: str
    indices: list[Index]
    windows: tuple[Window | None, ...]
    card: Card
    ensemble: int = 1

    @property
    def passes(self) -> int:
        """How often the network looks at a slice, all slices together."""
        return len(self.indices) * self.ensemble

    @property
    def units(self) -> str:
        """What steps are counted in, see :func:`~napari_dran.denoising.ensemble.units`."""
        return units(self.ensemble)[1]

    @property
    def window(self) -> Window | None:
        """The window, or the range of all windows where channels have their own."""
        windows = [window for window in self.windows if window is not None]
        if not windows:
            return None
        low, high = min(w.low for w in windows), max(w.high for w in windows)
        return Window(low, high, windows[0].name)

    @cached_property
    def sigma(self) -> float:
        """Estimated standard deviation of the noise, in the image's unit."""
        return median_of_positive(self._sigmas)

    @cached_property
    def sigma_255(self) -> float | None:
        """The same in grey levels of 255 of the window, each channel's of its own."""
        if self.window is None:
            return None
        windows = [self.window_of(index) for index, _ in self._sample]
        return median_of_positive(
            [
                sigma / window.range * GREY_LEVELS
                for sigma, window in zip(self._sigmas, windows, strict=True)
                if window is not None
            ]
        )

    @cached_property
    def noise_kind(self) -> NoiseKind | None:
        """What kind of noise a grey image has; None if it cannot be told."""
        return noise_kind([pixels for _, pixels in self._sample if pixels.ndim == 2])

    @property
    def suggestion(self) -> str:
        """A sentence if other shipped weights suit the image better, or nothing."""
        return suggest_weights(self.noise_kind, self.card.name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that the user should read before trusting the result."""
        return (*self._notes_on_image, *self.denoiser.notes)

    @cached_property
    def _notes_on_image(self) -> tuple[str, ...]:
        if self.window is None:
            return ("The image is constant: there is nothing to denoise.",)
        notes = []
        inside = np.mean([np.mean(self.window.contains(pixels)) for _, pixels in self._sample])
        if inside < LEAST_INSIDE:
            notes.append(
                f"Only {inside:.1%} of the values lie in the window {self.window}; all others are "
                "left as they are. Choose a window that fits the image, e.g. 'percentile'."
            )
        low, high = self.card.sigma_range
        sigma = self.sigma_255
        if sigma is not None and not low <= sigma <= high:
            notes.append(
                f"The estimated noise, {sigma:.1f} grey levels of 255, is outside what the weights "
                f"{self.card.name!r} were trained for ({low:g} to {high:g}). Look at the result "
                "with care, or choose a wider window."
            )
        return tuple(notes)

    def window_of(self, index: Index) -> Window | None:
        """Return the window of a slice."""
        if len(self.windows) == 1:
            return self.windows[0]
        number = index[self.axes.index("c")]
        assert isinstance(number, int)
        return self.windows[number]

    def provenance(self, strength: float = 1.0) -> Provenance:
        """Say how the image is denoised, for headers and histories."""
        window = self.window
        return Provenance(
            weights=self.card.name,
            sha256=self.card.sha256,
            window=None if window is None else (window.low, window.high),
            window_name="" if window is None else window.name,
            axis=self.axis,
            strength=float(strength),
            sigma=self.sigma,
            sigma_255=self.sigma_255,
            ensemble=self.ensemble,
        )

    def steps(self) -> Iterator[Step]:
        """Run the network, yielding the noise of one slice after the other.

        With an ensemble the slices of a batch come once for each pass: a step takes the
        place of the earlier one of its slice, so subtract from the image as it was.

        Closing the iterator stops between two passes and frees device memory.

        Raises
        ------
        OutOfMemoryError
            A single slice does not fit into the device's memory.
        DeviceError
            The device failed.
        """
        first, done = 0, 0
        try:
            predictor = self.denoiser.predictor(self.card)
            while first < len(self.indices):
                size = predictor.batch_size(self.slice_shape, self.denoiser.batch)
                chunk = self.indices[first : first + size]
                first += size
                # Copied where it is strided: a slice across x touches the whole volume, and
                # everything below would do so again.
                slices = [np.ascontiguousarray(self.data[index]) for index in chunk]
                windows = [self.window_of(index) for index in chunk]
                for noises in predictor.estimates(slices, windows, self.ensemble):
                    for index, noise in zip(chunk, noises, strict=True):
                        done += 1
                        yield Step(done, self.passes, index, noise)
        finally:
            self.denoiser.free_cache()

    @property
    def slice_shape(self) -> tuple[int, int]:
        """Height and width of the slices."""
        kept = [
            length
            for letter, length in zip(self.axes, self.data.shape, strict=True)
            if letter in "zyx" and letter != self.axis
        ]
        return kept[0], kept[1]

    @cached_property
    def _sample(self) -> list[tuple[Index, np.ndarray]]:
        return [(index, np.asarray(self.data[index])) for index in sample_evenly(self.indices)]

    @cached_property
    def _sigmas(self) -> list[float]:
        return [sigma_of_slice(pixels) for _, pixels in self._sample]
