"""What may be loaded where: cheap to import, and usable without napari and Qt."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys

HEAVY = ("torch", "napari", "qtpy", "PyQt6", "PySide6", "magicgui", "superqt", "nibabel",
         "SimpleITK", "pydicom", "skimage", "scipy", "dask")  # fmt: skip

# Stands in for an environment where napari, Qt and all that comes with them is not installed.
WITHOUT_NAPARI = """
import sys

class Absent:
    names = {"napari", "npe2", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui",
             "superqt", "vispy", "app_model", "psygnal", "dask", "matplotlib"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def python(code: str, *arguments: str) -> str:
    """Run code in a new Python and return what it printed."""
    run = subprocess.run(
        [sys.executable, *arguments, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def test_importing_loads_nothing_heavy() -> None:
    loaded = python("import sys, napari_dran; print(*sys.modules)").split()
    assert "napari_dran" in loaded
    assert not set(HEAVY) & set(loaded)


def test_importing_takes_less_than_a_fifth_of_a_second() -> None:
    def seconds() -> float:
        report = python("import napari_dran", "-X", "importtime")
        return int(re.findall(r"(\d+) \| napari_dran\n", report)[0]) / 1e6

    assert statistics.median(seconds() for _ in range(3)) < 0.2


def test_denoising_files_and_command_work_without_napari_and_qt(tmp_path) -> None:
    python(
        WITHOUT_NAPARI
        + f"""
import numpy as np
import napari_dran
from napari_dran.training import checkpoints, data, evaluation, validation

image = np.random.default_rng(0).normal(100, 10, (2, 16, 16)).astype(np.int16)
path = napari_dran.write_volume(napari_dran.Volume(image), {str(tmp_path / "image.nii.gz")!r})
result = napari_dran.denoise(napari_dran.read_volume(path), device="cpu")
assert result.data.dtype == np.int16 and result.data.std() < image.std()

from typer.testing import CliRunner
from napari_dran.cli import app
run = CliRunner().invoke(app, ["info", str(path)])
assert run.exit_code == 0, run.output
assert "napari" not in sys.modules
"""
    )
