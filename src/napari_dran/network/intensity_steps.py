"""What was done to the intensities of images before a network was trained on them.

The arithmetic of MONAI's intensity transforms, on a batch: each image by itself, so
that it does not matter which images are run together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import WeightsError

Step = Mapping[str, Any]
"""Its "kind", and the arguments of the function that does it."""


def apply_steps(images: Tensor, steps: Sequence[Step]) -> Tensor:
    """Do all steps, in order, to images (N, C, H, W)."""
    for step in steps:
        arguments = {key: value for key, value in step.items() if key != "kind"}
        images = KINDS[step["kind"]](images, **arguments)
    return images


def check_steps(steps: Sequence[Step]) -> None:
    """Try the steps on an empty image.

    Raises
    ------
    WeightsError
        There is no such step, or it has other arguments.
    """
    try:
        apply_steps(torch.zeros(1, 1, 2, 2), steps)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"The intensity steps {list(steps)!r} cannot be done ({error}). Expected a list of "
            f"steps whose kind is one of {', '.join(KINDS)}, with the arguments of that kind."
        ) from error


def stretch(images: Tensor, to: Sequence[float], by_channel: bool) -> Tensor:
    """Bring least and largest value of each image, or channel, to the two of ``to``."""
    low, high = _over(images, by_channel, torch.amin), _over(images, by_channel, torch.amax)
    return (images - low) / _safe(high - low) * (to[1] - to[0]) + to[0]


def stretch_percentiles(
    images: Tensor, percent: Sequence[float], to: Sequence[float], clip: bool, by_channel: bool
) -> Tensor:
    """Bring two percentiles of each image, or channel, to the two values of ``to``."""
    flat = images.flatten(2) if by_channel else images.flatten(1)[:, None]
    share = torch.tensor(percent, dtype=images.dtype, device=images.device) / 100
    low, high = torch.quantile(flat, share, dim=2)[..., None, None]
    scaled: Tensor = (images - low) / _safe(high - low) * (to[1] - to[0]) + to[0]
    return scaled.clamp(to[0], to[1]) if clip else scaled


def shift_range(
    images: Tensor, start: Sequence[float], to: Sequence[float], clip: bool = False
) -> Tensor:
    """Map the two values of ``start`` to the two of ``to``, all others in line with them."""
    scaled = (images - start[0]) / (start[1] - start[0]) * (to[1] - to[0]) + to[0]
    return scaled.clamp(to[0], to[1]) if clip else scaled


def standardise(images: Tensor, nonzero: bool, by_channel: bool) -> Tensor:
    """Give each image, or channel, mean 0 and deviation 1; zeros may be left out and kept."""
    counted = images != 0 if nonzero else torch.ones_like(images, dtype=torch.bool)
    number = _over(counted, by_channel, torch.sum).clamp(min=1)
    mean = _over(images * counted, by_channel, torch.sum) / number
    variance = _over((images - mean).square() * counted, by_channel, torch.sum) / number
    return torch.where(counted, (images - mean) / _safe(variance.sqrt()), images)


def subtract_and_divide(
    images: Tensor, mean: float | Sequence[float], deviation: float | Sequence[float]
) -> Tensor:
    """Subtract and divide by given numbers, one for all or one for each channel."""
    shape = (1, -1, 1, 1)
    less = torch.as_tensor(mean, dtype=images.dtype, device=images.device).reshape(shape)
    by = torch.as_tensor(deviation, dtype=images.dtype, device=images.device).reshape(shape)
    return (images - less) / _safe(by)


KINDS: dict[str, Callable[..., Tensor]] = {
    "stretch": stretch,
    "stretch-percentiles": stretch_percentiles,
    "shift-range": shift_range,
    "standardise": standardise,
    "subtract-and-divide": subtract_and_divide,
}


def _over(images: Tensor, by_channel: bool, reduce: Callable[..., Tensor]) -> Tensor:
    return reduce(images, dim=(2, 3) if by_channel else (1, 2, 3), keepdim=True)


def _safe(divisor: Tensor) -> Tensor:
    """Replace zeros, which constant images give, by one."""
    return torch.where(divisor == 0, torch.ones_like(divisor), divisor)
