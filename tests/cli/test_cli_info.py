"""``napari-dran info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_dran import Volume
from napari_dran.cli.info import describe, orientation


def lines_of(command: Any, path: Path) -> dict[str, str]:
    result = command("info", path)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return {line[:17].strip(): line[18:] for line in result.stdout.splitlines()}


def test_shows_what_is_in_the_file(command: Any, scan: Path) -> None:
    lines = lines_of(command, scan)
    assert lines["shape"] == "5 x 14 x 16"
    assert lines["axes"].startswith("zyx")
    assert lines["spacing"] == "3 x 1.5 x 2 mm (z, y, x)"
    assert lines["orientation"].endswith("stored as LAS")
    assert lines["dtype"] == "int16"
    data = np.asanyarray(nib.load(scan).dataobj)
    assert lines["range"] == f"{data.min()} to {data.max()}"
    assert "grey levels" in lines["estimated sigma"]
    assert "(percentile)" in lines["suggested window"]


def test_sigma_in_both_units() -> None:
    noise = np.random.default_rng(0).normal(0, 10, (3, 64, 64)).astype(np.float32)
    noise[0, 0, :2] = 0, 510
    noise[:, 32:] += 400
    text = describe(Volume(noise))["estimated sigma"]
    sigma, levels = float(text.split(",")[0]), float(text.split()[2])
    assert sigma == pytest.approx(10, rel=0.15)
    window = describe(Volume(noise))["suggested window"].split()[0].split(":")
    assert levels == pytest.approx(sigma / (float(window[1]) - float(window[0])) * 255, rel=0.02)


def test_constant_and_missing_values() -> None:
    data = np.ones((4, 9, 9), np.float32)
    data[0, 0, 0] = np.nan
    lines = describe(Volume(data))
    assert "constant" in lines["estimated sigma"]
    assert lines["not finite"].startswith("1 value")


def test_orientation() -> None:
    assert orientation(Volume(np.zeros((4, 9, 9)))) == "unknown"
    turn = np.deg2rad(10)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    text = orientation(Volume(np.zeros((4, 9, 9)), affine=affine, unit="mm"))
    assert "tilted by 10.0 degrees" in text


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "axes"),
    [("stroke_T1.nii.gz", "zyx"), ("nibabel_example4d.nii.gz", "tzyx"), ("FLAIR.nrrd", "zyx")],
)
def test_real_files(command: Any, corpus: Path, name: str, axes: str) -> None:
    assert lines_of(command, corpus / "volumes" / name)["axes"].startswith(axes + " ")
