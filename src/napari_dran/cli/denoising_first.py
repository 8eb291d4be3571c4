"""The options of segment and detect that denoise first."""

from __future__ import annotations

from typing import Any

from .. import denoising
from ..analysis.inputs import AUTO
from ..denoising.blending import check_strength
from ..denoising.ensemble import check_ensemble
from ..errors import InputError


def denoise_options(
    wanted: bool,
    weights: str | None,
    strength: float | None,
    ensemble: int | None,
    window: str,
    axis: str,
) -> bool | dict[str, Any]:
    """Gather the options to denoise with, and check what can be checked without an image.

    Parameters
    ----------
    wanted : bool
        Whether to denoise at all.
    weights, strength, ensemble
        As given, or None.
    window, axis : str
        Of the analysis: both look at the same slices, and through the same window if
        one was chosen.

    Returns
    -------
    bool or dict
        See ``Segmenter.run``.

    Raises
    ------
    InputError
        Options without ``wanted``, or a strength or ensemble that cannot be.
    WeightsError
        There are no such weights, or they do not denoise.
    """
    given = {"--denoise-weights": weights, "--strength": strength, "--denoise-ensemble": ensemble}
    names = [name for name, value in given.items() if value is not None]
    if not wanted:
        if names:
            raise InputError(
                f"{' and '.join(names)} tell{'s' if len(names) == 1 else ''} how to denoise first, "
                "which was not asked for. Add --denoise, or leave out the rest."
            )
        return False
    options: dict[str, Any] = {"axis": axis}
    if weights is not None:
        denoising.Denoiser(weights)
        options["weights"] = weights
    if strength is not None:
        options["strength"] = check_strength(strength)
    if ensemble is not None:
        options["ensemble"] = check_ensemble(ensemble)
    if window != AUTO:
        options["window"] = window
    return options
