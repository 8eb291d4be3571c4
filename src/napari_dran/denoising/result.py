"""The result of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..intensity import Window
from ..volume import Volume
from .plan import Plan
from .provenance import Provenance


@dataclass(frozen=True, eq=False)
class Denoised:
    """A denoised image and what was done to it.

    Parameters
    ----------
    image : ndarray or Volume
        The clean image, with the dtype of the noisy one.
    noise : ndarray or Volume
        float32, same shape: all the noise that was found, whatever the strength.
    window : Window or None
        The window, None if the image is constant; where channels have windows of
        their own, the range of all.
    windows : tuple of Window or None
        One for each channel, or just one.
    sigma : float
        Estimated standard deviation of the noise before, in the image's unit.
    provenance : Provenance
        How it was done.
    notes : tuple of str
        Sentences that the user should read before trusting the result.
    """

    image: Any
    noise: Any
    window: Window | None
    windows: tuple[Window | None, ...]
    sigma: float
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, image: Any, clean: np.ndarray, noise: np.ndarray, plan: Plan, strength: float
    ) -> Denoised:
        """Wrap arrays in the kind of ``image``; a Volume's history gains an entry."""
        provenance = plan.provenance(strength)
        if isinstance(image, Volume):
            history = (*image.history, provenance.as_dict())
            clean_like: Any = image.with_data(clean, history=history)
            noise_like: Any = image.with_data(noise, name=f"{image.name} noise", history=history)
        else:
            clean_like, noise_like = clean, noise
        return cls(
            clean_like, noise_like, plan.window, plan.windows, plan.sigma, provenance, plan.notes
        )
