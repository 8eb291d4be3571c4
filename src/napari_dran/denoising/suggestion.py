"""Which shipped weights suit an image."""

from __future__ import annotations

from ..noise_kind import NoiseKind

GREY, COLOUR, REAL = "dran-grey", "dran-colour", "dran-grey-real"
"""Shipped weights: for white Gaussian noise in grey and in colour images, and for grey scans
with the noise of machines."""


def suggest_weights(kind: NoiseKind | None, chosen: str) -> str:
    """Say in a sentence that other weights suit an image better, or nothing.

    Parameters
    ----------
    kind : NoiseKind or None
        Of the image's noise.
    chosen : str
        Name of the weights that would be used.

    Returns
    -------
    str
        Empty if the weights are right, or are not for such a choice.
    """
    if kind is None:
        return ""
    if chosen == GREY and kind.reasons:
        return f"The noise {_listed(kind.reasons)}: the weights {REAL} were made for that."
    if chosen == REAL and not kind.reasons:
        return f"The noise looks white and Gaussian: the weights {GREY} remove that better."
    return ""


def _listed(reasons: tuple[str, ...]) -> str:
    return " and ".join([", ".join(reasons[:-1]), reasons[-1]] if reasons[1:] else reasons)
