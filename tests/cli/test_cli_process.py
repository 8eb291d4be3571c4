"""The command in a process of its own: imports, signals, terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HEAVY = ("torch", "napari", "qtpy", "nibabel", "SimpleITK", "pydicom", "skimage")


def run(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_dran", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from napari_dran.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "loaded: []", result.stderr
    for name in ("denoise", "segment", "detect", "info", "weights", "evaluate", "train"):
        assert name in result.stdout


def test_version() -> None:
    from napari_dran import __version__

    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"napari-dran {__version__}\n")


def test_error_in_a_pipe_has_no_colour(tmp_path: Path) -> None:
    result = run("info", tmp_path / "none.nii")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: There is no file")
    assert "\x1b" not in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX signals")
@pytest.mark.parametrize(
    ("words", "network"),
    [
        (("denoise", "-o", "o.nii"), None),
        (
            ("detect", "-o", "o.json", "--labels", "o.nii", "--table", "t.csv", "--denoise"),
            "mask_rcnn",
        ),
    ],
    ids=["denoise", "detect"],
)
def test_ctrl_c(
    scan: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    words: tuple[str, ...],
    network: str | None,
) -> None:
    weights = ["--weights", str(request.getfixturevalue(network))] if network else []
    # The network is replaced by a long sleep, so that the signal meets the run.
    code = (
        "import signal, sys, time\n"
        # Whoever starts the tests in the background may have them ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from napari_dran.denoising import Denoiser\n"
        "def run(*_, **__):\n"
        "    print('running', flush=True)\n"
        "    time.sleep(60)\n"
        "Denoiser.run = run\n"
        "from napari_dran.__main__ import main\n"
        f"sys.argv = ['napari-dran', *{words!r}, {scan.name!r}, *{weights!r}]\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("Stopped.")
    assert [path.name for path in tmp_path.iterdir()] == [scan.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_on_a_terminal_there_is_a_bar_and_red(scan: Path, grey: Path, tmp_path: Path) -> None:
    import pty

    def on_terminal(*words: object) -> str:
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
        environment.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "napari_dran", *map(str, words)]
        process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            text += part
        os.close(master)
        process.wait()
        return text.decode()

    assert "\x1b[31mError: " in on_terminal("info", tmp_path / "none.nii")
    shown = on_terminal("denoise", scan, "-o", tmp_path / "o.nii", "--weights", grey)
    assert "slices" in shown
    assert "5/5" in shown
    assert "estimated sigma" in shown
    quiet = on_terminal("denoise", scan, "-o", tmp_path / "p.nii", "--weights", grey, "-q")
    assert quiet == ""
