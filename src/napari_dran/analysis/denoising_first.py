"""Denoising an image in the way that suits the network that looks at it next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..denoising import Denoiser
from ..errors import Cancelled, InputError
from ..slices import slice_indices
from ..volume import Volume
from ..weights import Card
from .inputs import planes_of

Denoise = bool | Mapping[str, Any]
"""Whether to denoise first, or the options of ``napari_dran.denoise`` to do it with."""

OPTIONS = ("weights", "window", "axis", "strength")

Progress = Callable[[int, int], object]


def denoise_options(denoise: Denoise) -> dict[str, Any] | None:
    """Return the options to denoise with; None if it is not to be done.

    Raises
    ------
    InputError
        There is no such option.
    """
    if denoise is True or denoise is False:
        return {} if denoise else None
    unknown = sorted(set(denoise) - set(OPTIONS))
    if unknown:
        raise InputError(
            f"There is no option {unknown[0]!r} to denoise with. Expected some of "
            f"{', '.join(OPTIONS)}."
        )
    return dict(denoise)


def passes(volume: Volume, card: Card) -> int:
    """Return how many images are denoised for one: inputs of their own one by one."""
    apart = card.inputs and (volume.rgb or "c" in volume.axes)
    return card.channels if apart else 1


def denoise_first(
    volume: Volume, card: Card, options: Mapping[str, Any], device: str, progress: Progress
) -> Volume:
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
    device : str
        Where to compute.
    progress : callable
        Called with (slices done, slices in all); returns False to cancel.

    Returns
    -------
    Volume
        Of the same shape and dtype.
    """
    arguments = dict(options)
    denoiser = Denoiser(arguments.pop("weights", "auto"), device=device)
    if passes(volume, card) == 1:
        clean: Volume = denoiser.run(volume, progress=progress, **arguments).image
        return clean
    planes = planes_of(volume, card)
    results, total = [], len(planes.data)
    for number, plane in enumerate(planes.data):
        count = len(slice_indices(plane.shape, planes.axes, arguments.get("axis", 0)))
        grey = volume.with_data(np.ascontiguousarray(plane), axes=planes.axes)
        before = number * count

        def tell(done: int, _: int, before: int = before, count: int = count) -> object:
            return progress(before + done, count * total)

        results.append(denoiser.run(grey, progress=tell, **arguments).image)
    data = np.stack([result.data for result in results], -1 if volume.rgb else 0)
    history = results[0].history
    return volume.with_data(data, history=history)


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
