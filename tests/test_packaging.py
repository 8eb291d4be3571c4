"""What a user gets who installs the wheel."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_dran"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel, built without isolation so that nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile):
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_every_file_of_the_package_is_in_the_wheel_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    source = {
        f"napari_dran/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {n: wheel.read(n) for n in wheel.namelist() if ".dist-info/" not in n}
    assert set(shipped) == set(source)
    assert [n for n in source if shipped[n] != source[n]] == []
    needed = ["napari.yaml", "py.typed", "weights/dran-grey.safetensors", "sample_data/t1.nii.gz"]
    assert {f"napari_dran/{name}" for name in needed} <= set(shipped)


def test_shipped_weights_stay_small(wheel: zipfile.ZipFile) -> None:
    sizes = [i.file_size for i in wheel.infolist() if i.filename.endswith(".safetensors")]
    assert sum(sizes) < 100e6


def test_metadata_names_licence_and_napari(metadata) -> None:
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert "Framework :: napari" in metadata.get_all("Classifier")
    assert metadata["Requires-Python"] == ">=3.11"


def test_base_dependencies_hold_neither_napari_nor_qt(metadata) -> None:
    base = [r.lower() for r in metadata.get_all("Requires-Dist") if "extra ==" not in r]
    assert base
    assert not [r for r in base if r.startswith(("napari", "pyqt", "pyside", "qtpy", "magicgui"))]


def test_dependencies_have_lower_bounds_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        assert ">=" in requirement
        assert not set("<~=!,") & set(requirement.replace(">=", ""))


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/entry_points.txt"))
    text = wheel.read(name).decode()
    assert "[console_scripts]\nnapari-dran = napari_dran.__main__:main" in text
    assert "[napari.manifest]\nnapari-dran = napari_dran:napari.yaml" in text


@pytest.mark.skipif(sys.platform == "win32", reason="git on Windows checks links out as text")
def test_manifest_at_the_root_is_a_link_to_the_real_one() -> None:
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == PACKAGE / "napari.yaml"
    assert not Path(link.readlink()).is_absolute()


def test_citation_and_version_agree_with_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {version}\n" in citation
    assert "10.3390/math8122192" in citation
