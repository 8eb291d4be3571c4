"""Computing devices: which to use, and how much fits into their memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DeviceError, OutOfMemoryError

if TYPE_CHECKING:
    import torch

# A fused pass holds about seven feature maps at once (447 MB at 512 x 512 with
# 64 features, measured); one more for the allocator's rounding.
FEATURE_MAPS = 8
BYTES_OF_FLOAT = 4
USABLE_SHARE = 0.6
# More pixels at a time gain no speed and delay a cancel.
LARGEST_BATCH_PIXELS = 4_000_000
GIGABYTE = 1e9


def choose_device(name: str = "auto") -> torch.device:
    """Find a computing device.

    Parameters
    ----------
    name : str
        "auto" takes the first of CUDA, Apple's MPS and the CPU that works here;
        otherwise "cpu", "cuda", "cuda:1", "mps", ...

    Raises
    ------
    DeviceError
        There is no such device.
    """
    import torch

    if name == "auto":
        for candidate in ("cuda", "mps"):
            if _is_there(candidate) and _works(torch.device(candidate)):
                return torch.device(candidate)
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise _no_such_device(name) from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type not in ("cuda", "mps") or not _is_there(device.type):
        raise _no_such_device(name)
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= count:
        raise _no_such_device(name)
    return device


def available_devices() -> list[str]:
    """Name the devices that can be chosen here, "auto" first."""
    names = ["auto", "cpu"]
    if _is_there("cuda"):
        import torch

        count = torch.cuda.device_count()
        names += ["cuda"] if count == 1 else [f"cuda:{i}" for i in range(count)]
    return names + (["mps"] if _is_there("mps") else [])


def _no_such_device(name: str) -> DeviceError:
    return DeviceError(
        f"There is no device {name!r} here. Expected one of {', '.join(available_devices())}. "
        "CUDA needs an NVIDIA driver and a build of PyTorch with CUDA."
    )


def _is_there(kind: str) -> bool:
    import torch

    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.device_count() > 0
    return torch.backends.mps.is_available()


def _works(device: torch.device) -> bool:
    """Try it: a card can be present and too old for this build of PyTorch."""
    import torch

    try:
        return float(torch.ones(1, device=device).sum()) == 1.0
    except RuntimeError:
        return False


def bytes_per_pixel(arguments: Mapping[str, Any]) -> int:
    """Estimate the memory a pass needs for each pixel of a slice.

    Parameters
    ----------
    arguments : mapping
        The network's arguments, as on its card.
    """
    features = int(arguments.get("features", 64))
    return FEATURE_MAPS * BYTES_OF_FLOAT * features


def choose_batch(device: torch.device, pixels: int, per_pixel: int) -> int:
    """Choose how many slices to work on at a time.

    On a CPU always one: larger batches are slower there.

    Parameters
    ----------
    device : torch.device
        Where the network runs.
    pixels : int
        Pixels of one slice.
    per_pixel : int
        From :func:`bytes_per_pixel`.

    Raises
    ------
    OutOfMemoryError
        Not even one slice fits into the main memory. (A system that is out of
        main memory kills the process rather than refuse, so this comes first.)
    """
    free = free_memory(device)
    if device.type == "cpu":
        if free is not None and pixels * per_pixel > free:
            raise out_of_memory(device, pixels, per_pixel)
        return 1
    fits = int(USABLE_SHARE * free) // (pixels * per_pixel) if free is not None else 1
    return max(1, min(fits, LARGEST_BATCH_PIXELS // pixels))


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that can still be had on a device; None if unknown."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + unused)
    if device.type == "mps":
        limit = torch.mps.recommended_max_memory()
        return int(limit - torch.mps.driver_allocated_memory())
    return _free_main_memory()


def _free_main_memory() -> int | None:
    limits = []
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    # A container may be allowed less than the machine has.
    container = Path("/sys/fs/cgroup/memory.max")
    if container.exists() and (text := container.read_text().strip()).isdecimal():
        limits.append(int(text))
    return min(limits, default=None)


def free_cache(device: torch.device) -> None:
    """Give memory that PyTorch keeps for later back to the device."""
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def lacks_operation(error: BaseException) -> bool:
    """Tell whether ``error`` means that a device, MPS above all, lacks an operation.

    It is PyTorch that raises this class then; here it is only told from other RuntimeErrors.
    """
    return isinstance(error, NotImplementedError)


def handed_over(device: torch.device, error: BaseException) -> str:
    """Return the note that the CPU ran what ``device`` lacks."""
    return f"{device} lacks an operation, so the CPU did the work: {error}"


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether ``error`` means that memory ran out; PyTorch has many ways to say so."""
    import torch

    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def out_of_memory(device: torch.device, pixels: int, per_pixel: int) -> OutOfMemoryError:
    """Make the error that says what to do when one slice does not fit."""
    free = free_memory(device)
    left = "" if free is None else f" and {free / GIGABYTE:.1f} GB are free"
    other = "" if device.type == "cpu" else ", use device='cpu'"
    return OutOfMemoryError(
        f"A slice of {pixels:,} pixels needs about {pixels * per_pixel / GIGABYTE:.1f} GB on "
        f"{device}{left}. Close other programs{other}, slice along another axis, or crop the image."
    )
