"""Removes noise from medical images with the Dynamic Residual Attention Network.

Nothing heavy is imported before it is used: ``import napari_dran`` loads neither
PyTorch nor napari, nor the libraries that read files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .denoising import Denoised, Denoiser, Provenance, blend, denoise
    from .errors import (
        Cancelled,
        DeviceError,
        DranError,
        FileReadError,
        FileWriteError,
        InputError,
        MissingPackageError,
        OutOfMemoryError,
        OutputExistsError,
        TrainingError,
        WeightsError,
    )
    from .files import read_volume, write_volume
    from .intensity import Window
    from .noise import estimate_sigma
    from .volume import Volume
    from .weights import Card, list_weights, load_weights

__version__ = "0.1.0"

_HOMES = {
    "Cancelled": "errors",
    "Card": "weights",
    "Denoised": "denoising",
    "Denoiser": "denoising",
    "DeviceError": "errors",
    "DranError": "errors",
    "FileReadError": "errors",
    "FileWriteError": "errors",
    "InputError": "errors",
    "MissingPackageError": "errors",
    "OutOfMemoryError": "errors",
    "OutputExistsError": "errors",
    "Provenance": "denoising",
    "TrainingError": "errors",
    "Volume": "volume",
    "WeightsError": "errors",
    "Window": "intensity",
    "blend": "denoising",
    "denoise": "denoising",
    "estimate_sigma": "noise",
    "list_weights": "weights",
    "load_weights": "weights",
    "read_volume": "files",
    "write_volume": "files",
}

__all__ = [
    "Cancelled",
    "Card",
    "Denoised",
    "Denoiser",
    "DeviceError",
    "DranError",
    "FileReadError",
    "FileWriteError",
    "InputError",
    "MissingPackageError",
    "OutOfMemoryError",
    "OutputExistsError",
    "Provenance",
    "TrainingError",
    "Volume",
    "WeightsError",
    "Window",
    "__version__",
    "blend",
    "denoise",
    "estimate_sigma",
    "list_weights",
    "load_weights",
    "read_volume",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
