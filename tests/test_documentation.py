"""The Python in the README and the documentation runs, on real images."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    """The page's Python, but for what needs something that cannot be had here."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [code for code in found if not code.startswith("# no-test")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of, small enough to be quick."""
    from napari_dran import Volume, write_volume
    from napari_dran.samples import load_sample

    sample = load_sample("t1-noisy")
    small = Volume(
        sample.data[20:22, 40:104, 40:104].astype("int16"), "zyx", sample.affine, sample.unit
    )
    (tmp_path / "scans").mkdir()
    (tmp_path / "denoised").mkdir()
    write_volume(small, tmp_path / "scan.nii.gz")
    shutil.copy(tmp_path / "scan.nii.gz", tmp_path / "scans" / "one.nii.gz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_python_of_the_pages_runs(page: Path, folder: Path, request: pytest.FixtureRequest) -> None:
    if '"series"' in "".join(blocks(page)):
        volumes = request.getfixturevalue("corpus") / "volumes"
        (folder / "series").symlink_to(volumes / "dicom_series_seg3d_MR")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in blocks(page):
        exec(compile(code, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_the_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="building the site needs the group docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "reference/python/index.html").is_file()
