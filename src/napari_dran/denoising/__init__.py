"""Denoising: arrays, volumes and layers in, the same out."""

from __future__ import annotations

from .blending import MAX_STRENGTH, blend
from .denoiser import AUTO, Denoiser
from .devices import available_devices, choose_device
from .ensemble import MAX_ENSEMBLE
from .entry import denoise
from .plan import Plan, Step
from .provenance import Provenance
from .result import Denoised

__all__ = [
    "AUTO",
    "MAX_ENSEMBLE",
    "MAX_STRENGTH",
    "Denoised",
    "Denoiser",
    "Plan",
    "Provenance",
    "Step",
    "available_devices",
    "blend",
    "choose_device",
    "denoise",
]
