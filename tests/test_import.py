"""Importing: lazy names, and every floor below the plugin without napari and Qt.

What ``import napari_dran`` may load and cost is checked in test_floors.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import napari_dran

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_dran"

BLOCK = """
import importlib, sys

class Absent:
    names = {"napari", "qtpy", "magicgui", "PyQt5", "PyQt6", "PySide6", "superqt", "vispy"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""

CHEAP = """
import sys
import napari_dran
from napari_dran import Volume, Window, list_weights, estimate_sigma
from napari_dran.denoising import Denoiser, blend, denoise
import napari_dran.metrics, napari_dran.weights
heavy = {"torch", "napari", "qtpy", "PyQt6", "nibabel", "SimpleITK", "pydicom", "skimage", "dask"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def python(code: str, *arguments: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )
    assert run.returncode == 0, run.stderr


def test_floors_below_the_plugin_import_without_napari_and_qt() -> None:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if "plugin" not in parts and parts[-1] != "__main__":
            names.append(".".join(parts).removesuffix(".__init__"))
    assert "napari_dran.denoising.denoiser" in names
    python(BLOCK, *names)


def test_what_a_window_needs_while_it_is_built_loads_nothing_heavy() -> None:
    python(CHEAP)


@pytest.mark.parametrize("name", napari_dran.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(napari_dran, name) is not None
    assert name in dir(napari_dran)


def test_all_names_are_listed_once() -> None:
    assert sorted(set(napari_dran.__all__)) == sorted(napari_dran.__all__)
    assert set(napari_dran._HOMES) == set(napari_dran.__all__) - {"__version__"}


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'denoize'"):
        _ = napari_dran.denoize


def test_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert napari_dran.__version__ == project["version"]
