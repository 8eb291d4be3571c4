"""Denoising an image in the way that suits the network that looks at it next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..denoising import Denoiser
from ..denoising.ensemble import check_ensemble
from ..errors import Cancelled, InputError
from ..slices import slice_indices
from ..volume import Volume
from ..weights import Card
from .inputs import AUTO, planes_of

Denoise = bool | Mapping[str, Any]
"""Whether to denoise first, or the options of ``napari_dran.denoise`` to do it with."""

OPTIONS = ("weights", "window", "axis", "strength", "ensemble")

Progress = Callable[[int, int], object]


class KeptDenoiser:
    """Keeps the last denoiser, so that its weights are read once for many images.

    Parameters
    ----------
    device : str
        Where to compute.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._last: Denoiser | None = None

    def get(self, weights: str | Path) -> Denoiser:
        """Return a denoiser with these weights; the one before is given up for others."""
        denoiser = self._last
        if denoiser is None or denoiser.weights != weights:
            self._last = denoiser = Denoiser(weights, device=self.device)
        return denoiser

    def release(self) -> None:
        """Give back all device memory."""
        if self._last is not None:
            self._last.release()


def denoise_options(denoise: Denoise) -> dict[str, Any] | None:
    """Return the options to denoise with; None if it is not to be done.

    Raises
    ------
    InputError
        There is no such option, or it is neither a bool nor options; an ensemble that
        cannot be.
    """
    if denoise is None or isinstance(denoise, bool | np.bool_):
        return {} if denoise else None
    if not isinstance(denoise, Mapping):
        raise InputError(
            f"Expected denoise to be True, False or a mapping of options, got {denoise!r}. "
            f"The options are {', '.join(OPTIONS)}."
        )
    unknown = sorted(set(denoise) - set(OPTIONS))
    if unknown:
        raise InputError(
            f"There is no option {unknown[0]!r} to denoise with. Expected some of "
            f"{', '.join(OPTIONS)}."
        )
    options = dict(denoise)
    if "ensemble" in options:
        # Steps are counted by it.
        options["ensemble"] = check_ensemble(options["ensemble"])
    return options


def steps(volume: Volume, card: Card, options: Mapping[str, Any]) -> int:
    """Return in how many steps :func:`denoise_first` goes through an image."""
    count = len(slice_indices(volume.shape, volume.axes, options.get("axis", 0)))
    count *= int(options.get("ensemble", 1))
    return count * card.channels if _apart(volume, card) else count


def denoise_first(
    volume: Volume,
    card: Card,
    options: Mapping[str, Any],
    kept: KeptDenoiser,
    progress: Progress,
    contrast_limits: tuple[float, float] | None = None,
) -> tuple[Volume, tuple[str, ...]]:
    """Denoise an image before a network looks at it.

    The samples of a "colour" image that are images of their own (MR sequences) are
    denoised one by one, with grey weights.

    Parameters
    ----------
    volume : Volume
        The image.
    card : Card
        Of the network that is to see it.
    options : mapping
        From :func:`denoise_options`.
    kept : KeptDenoiser
        Gives the denoiser.
    progress : callable
        Called with (steps done, steps in all); returns False to cancel.
    contrast_limits : pair of float, optional
        For the window "contrast-limits".

    Returns
    -------
    image : Volume
        Of the same shape and dtype.
    notes : tuple of str
        What to know before trusting it, see ``Denoised.notes``.
    """
    arguments: dict[str, Any] = {**options, "contrast_limits": contrast_limits}
    denoiser = kept.get(arguments.pop("weights", AUTO))
    try:
        if not _apart(volume, card):
            found = denoiser.run(volume, progress=progress, **arguments)
            return found.image, found.notes
        planes, total = planes_of(volume, card), steps(volume, card, options)
        # Alpha stays as it is.
        clean = np.array(volume.data)
        notes: dict[str, None] = {}
        for number, plane in enumerate(planes.data):
            before = number * total // len(planes.data)
            grey = volume.with_data(np.ascontiguousarray(plane), axes=planes.axes)
            found = denoiser.run(grey, progress=share(progress, before, total), **arguments)
            clean[..., number] = found.image.data
            notes |= dict.fromkeys(found.notes)
        return volume.with_data(clean, history=found.image.history), tuple(notes)
    finally:
        # The network stays, small as it is: other threads may be using it.
        denoiser.free_cache()


def share(progress: Progress | None, done_before: int, total: int) -> Progress:
    """Make the progress of a part of the work from that of the whole.

    Raises
    ------
    Cancelled
        When called, if ``progress`` returns False.
    """

    def tell(done: int, _: int) -> None:
        if progress is not None and progress(done_before + done, total) is False:
            raise Cancelled(f"Cancelled after {done_before + done} of {total} steps.")

    return tell


def _apart(volume: Volume, card: Card) -> bool:
    """Tell whether colour samples are images of their own; those of a "c" axis always are."""
    return bool(card.inputs) and volume.rgb
