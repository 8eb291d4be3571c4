"""Fixtures and rules for every test: real images, no network, one display."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Set before anything imports matplotlib, Qt or napari, and inherited by the
# subprocesses that tests start. An empty NAPARI_CONFIG keeps napari's settings
# in memory, so a test neither reads nor changes the user's own.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("NAPARI_CONFIG", "")
os.environ.setdefault("QT_API", "pyqt6")

HAS_DISPLAY = os.environ.get("QT_QPA_PLATFORM") != "offscreen" and (
    not sys.platform.startswith("linux")
    or shutil.which("Xvfb") is not None
    or "DISPLAY" in os.environ
    or "WAYLAND_DISPLAY" in os.environ
)
if not HAS_DISPLAY:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"


def pytest_xvfb_disable(config: pytest.Config) -> bool:
    """Start no virtual display for a run that asked for Qt's offscreen platform."""
    return not HAS_DISPLAY


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and open real windows last.

    Once a window has drawn with Mesa's software OpenGL, its LLVM stays in the
    process; other tests should not have to live with that.
    """
    no_display = pytest.mark.skip(reason="needs a display: install xvfb")
    no_gpu = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("viewer") and not HAS_DISPLAY:
            item.add_marker(no_display)
        if item.get_closest_marker("gpu") and not cuda_available():
            item.add_marker(no_gpu)
    items.sort(key=lambda item: item.get_closest_marker("viewer") is not None)


def cuda_available() -> bool:
    """Say whether torch sees a CUDA device."""
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of real medical images that lies beside a developer's checkout.

    Some may not be passed on, so a clone has none, and what needs them is skipped there.
    """
    folder = Path(os.environ.get("NAPARI_DRAN_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip(f"needs the image corpus, not found at {folder}")
    return folder


@pytest.fixture(autouse=True)
def _same_chance_each_time() -> None:
    """Give every test the same random numbers, whatever ran before it."""
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's own weights and training runs out of every test."""
    monkeypatch.setenv("NAPARI_DRAN_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that talks to any other machine."""

    def guard(name: str) -> None:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check_local(address[0])
            return original(self, address, *args)

        monkeypatch.setattr(socket.socket, name, connect)

    guard("connect")
    guard("connect_ex")
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check_local(host)
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def check_local(host: Any) -> None:
    """Raise unless ``host`` names this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if name != "localhost" and name != "::1" and not name.startswith("127."):
        raise AssertionError(f"A test tried to reach {name!r}: no test may use the network.")
