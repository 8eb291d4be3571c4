"""How far two results on the same image agree, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..volume import Volume
from .preparation import lengths

BOTH, ONLY_FIRST, ONLY_SECOND = 1, 2, 3
"""Values of the difference."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two label images compared.

    Parameters
    ----------
    difference : Volume
        uint8, axes of the labels: 0 neither, :data:`BOTH`, :data:`ONLY_FIRST`,
        :data:`ONLY_SECOND`.
    counts : pair of int
        Objects in the first and in the second.
    sizes : pair of float
        What they cover together, in unit^2 or, in a stack, unit^3.
    dice : float or None
        Twice what both cover over the sum of what each covers (Dice 1945), from 0 to 1;
        None where both are empty.
    """

    difference: Volume
    counts: tuple[int, int]
    sizes: tuple[float, float]
    dice: float | None


def compare(first: Volume, second: Volume) -> Agreement:
    """Compare two label images.

    Parameters
    ----------
    first, second : Volume
        Integers of the same axes and shape; 0 is background.

    Raises
    ------
    InputError
        Their shapes differ.
    """
    if first.shape != second.shape:
        raise InputError(
            f"Expected labels of one image, got shapes {first.shape} and {second.shape}."
        )
    one, two = np.asarray(first.data) > 0, np.asarray(second.data) > 0
    difference = np.where(one & two, BOTH, one * ONLY_FIRST + two * ONLY_SECOND).astype(np.uint8)
    pixel = float(np.prod(lengths(first)))
    covered = int(one.sum()), int(two.sum())
    both = int((one & two).sum())
    return Agreement(
        difference=first.with_data(difference),
        counts=(_count(first), _count(second)),
        sizes=(covered[0] * pixel, covered[1] * pixel),
        dice=2 * both / sum(covered) if any(covered) else None,
    )


def _count(labels: Volume) -> int:
    """Count objects, or classes in each time point."""
    data = np.asarray(labels.data)
    parts = data if labels.axes[0] == "t" else [data]
    return sum(int(np.count_nonzero(np.unique(part))) for part in parts)
