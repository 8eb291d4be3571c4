"""The machine of a run: where Lightning computes, at what precision, and how quietly."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..errors import FileWriteError, InputError
from .recipe import missing_package

try:
    from lightning.pytorch.loggers import TensorBoardLogger
    from lightning.pytorch.strategies import DDPStrategy
except ImportError as error:
    raise missing_package("lightning") from error

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def chosen_precision(name: str, device: torch.device) -> str:
    """Choose the precision on this device for "auto", and check any other.

    Raises
    ------
    InputError
        The device does not have it.
    """
    if name == "auto":
        return "bf16" if _fast_bfloat16(device) else "32"
    if name == "fp16" and device.type != "cuda":
        raise InputError(f"Precision 'fp16' needs a CUDA device, this is {device}. Use 'bf16'.")
    return name


def hardware(device: torch.device, processes: int) -> dict[str, Any]:
    """Say in Lightning's words where to train."""
    several = DDPStrategy(process_group_backend="gloo" if device.type == "cpu" else None)
    one_gpu = device.type == "cuda" and processes == 1
    return {
        "accelerator": device.type,
        "devices": [device.index or 0] if one_gpu else processes,
        "strategy": several if processes > 1 else "auto",
        "benchmark": device.type == "cuda",
    }


def _fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without instructions for it, bfloat16 is slower than float32.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and supported is not None and bool(supported())


def make_folder(run: Path) -> None:
    """Make the folder of a run; raise FileWriteError if that fails."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileWriteError(
            f"Could not make the run's folder {run}: {error.strerror}. Choose another place."
        ) from error


def tensorboard_logger(folder: Path) -> TensorBoardLogger:
    """Return what logs for TensorBoard; raise MissingPackageError if it is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise missing_package("tensorboard") from error
    return TensorBoardLogger(folder, name="", version="tensorboard")


def device_name(device: torch.device) -> str:
    """Return the name of a GPU, or the kind of another device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Lightning tells its own users, and torch about Lightning."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\b")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
