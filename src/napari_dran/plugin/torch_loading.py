"""Import torch in napari's process without killing or freezing the window.

*Killing.* Once the viewer has drawn through Mesa, Mesa's libLLVM is in the
process. Triton, which ``torch._dynamo`` imports (and with it torchvision and
every optimiser), brings an LLVM of its own; loaded in the usual way it binds to
Mesa's symbols and the process dies. So Triton is loaded first, bound to itself.

*Freezing.* ``import torch`` holds Python's lock while the system's loader reads
hundreds of megabytes, so even from a thread it stops the window for half a
second. The loader called through ctypes does not hold the lock. And an import makes
so many objects that Python looks through all of them for garbage again and again, a
third of a second each time in which no thread runs: it waits until the import is over.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def load_torch() -> ModuleType:
    """Import torch; call it in a worker thread before the plugin's first use of it.

    Returns
    -------
    module
        torch. At once if it was imported before.
    """
    with importing():
        # Also where another plugin has imported torch: that alone brings no Triton.
        shield_triton()
        if "torch" not in sys.modules:
            _read_ahead("torch", "lib", "libtorch_python")
        import torch

    return torch


@contextmanager
def importing() -> Iterator[None]:
    """Put off the collection of garbage while a large package is imported in a thread."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # Both together count what was imported as old: else the first collection of
            # the young would look through all of it.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def shield_triton() -> bool:
    """Import Triton so that its LLVM and the graphics driver's cannot meet.

    Returns
    -------
    bool
        Whether Triton was imported by this call: only on Linux, where it is
        installed and nothing imported it before.
    """
    if not sys.platform.startswith("linux") or "triton" in sys.modules:
        return False
    if importlib.util.find_spec("triton") is None:
        return False
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        importlib.import_module("triton")
        importlib.import_module("triton._C.libtriton")
    except ImportError:
        # Half a Triton is worse than none: the GUI's process can do without.
        sys.modules["triton"] = None  # type: ignore[assignment]
        return False
    finally:
        sys.setdlopenflags(flags)
    return True


def _read_ahead(package: str, folder: str, library: str) -> None:
    """Let the system's loader read a library while other threads go on; failing is harmless."""
    import ctypes

    spec = importlib.util.find_spec(package)
    suffix = {"linux": ".so", "darwin": ".dylib"}.get(sys.platform)
    if spec is None or spec.origin is None or suffix is None:
        return
    path = Path(spec.origin).parent / folder / (library + suffix)
    if path.exists():
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.restype = ctypes.c_void_p
        dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
        dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_LOCAL)
