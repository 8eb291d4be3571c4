"""Removes noise from medical images with the Dynamic Residual Attention Network.

Nothing heavy is imported before it is used: ``import napari_dran`` loads neither
PyTorch nor napari, nor the libraries that read files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import (
        Detection,
        Detections,
        Detector,
        Measurement,
        Segmentation,
        Segmenter,
        detect,
        measure,
        segment,
    )
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
    "Detection": "analysis",
    "Detections": "analysis",
    "Detector": "analysis",
    "DeviceError": "errors",
    "DranError": "errors",
    "FileReadError": "errors",
    "FileWriteError": "errors",
    "InputError": "errors",
    "Measurement": "analysis",
    "MissingPackageError": "errors",
    "OutOfMemoryError": "errors",
    "OutputExistsError": "errors",
    "Provenance": "denoising",
    "Segmentation": "analysis",
    "Segmenter": "analysis",
    "TrainingError": "errors",
    "Volume": "volume",
    "WeightsError": "errors",
    "Window": "intensity",
    "blend": "denoising",
    "denoise": "denoising",
    "detect": "analysis",
    "estimate_sigma": "noise",
    "list_weights": "weights",
    "load_weights": "weights",
    "measure": "analysis",
    "read_volume": "files",
    "segment": "analysis",
    "write_volume": "files",
}

__all__ = [
    "Cancelled",
    "Card",
    "Denoised",
    "Denoiser",
    "Detection",
    "Detections",
    "Detector",
    "DeviceError",
    "DranError",
    "FileReadError",
    "FileWriteError",
    "InputError",
    "Measurement",
    "MissingPackageError",
    "OutOfMemoryError",
    "OutputExistsError",
    "Provenance",
    "Segmentation",
    "Segmenter",
    "TrainingError",
    "Volume",
    "WeightsError",
    "Window",
    "__version__",
    "blend",
    "denoise",
    "detect",
    "estimate_sigma",
    "list_weights",
    "load_weights",
    "measure",
    "read_volume",
    "segment",
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
