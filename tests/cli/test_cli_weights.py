"""``napari-dran weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_list_names_both_kinds(command: Any) -> None:
    result = command("weights", "list")
    assert result.exit_code == 0, result.output
    assert "dran-grey" in result.stdout
    assert "dran-colour" in result.stdout
    assert "0 to 50" in result.stdout


def test_info_of_shipped_and_of_a_file(command: Any, grey: Path) -> None:
    shipped = command("weights", "info", "dran-colour")
    assert shipped.exit_code == 0, shipped.output
    for word in ("sha256", "licence", "data", "scores", "channels"):
        assert word in shipped.stdout
    assert "tiny-grey" in command("weights", "info", grey).stdout


def test_info_of_unknown_weights(refused: Any) -> None:
    assert "dran-grey" in refused("weights", "info", "dran-blue")


def test_import_of_what_is_no_checkpoint(refused: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"hello")
    output = tmp_path / "out.safetensors"
    assert "checkpoint" in refused("weights", "import", wrong, "-o", output)
    assert "There is no checkpoint" in refused(
        "weights", "import", tmp_path / "no.pth", "-o", output
    )
    assert not output.exists()


def test_import_tells_what_it_found(command: Any, tmp_path: Path) -> None:
    import torch

    from napari_dran.network.unet import UNet
    from napari_dran.weights import own_weights_folder

    torch.save(UNet(3, 3).state_dict(), tmp_path / "theirs.pt")
    output = own_weights_folder() / "cells.safetensors"
    output.parent.mkdir(parents=True)
    done = command(
        "weights", "import", tmp_path / "theirs.pt", "-o", output,
        "--classes", "nucleus, border", "--border", "--licence", "CC0-1.0",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "unet, segments nucleus, border in colour images" in done.stdout
    shown = command("weights", "info", output).stdout
    assert "nucleus, border" in shown
    assert "CC0-1.0" in shown
    listed = command("weights", "list").stdout
    assert any({"cells", "segment"} <= set(line.split()) for line in listed.splitlines())


def test_import_refuses_what_would_run_code(refused: Any, tmp_path: Path) -> None:
    import torch

    torch.save(torch.nn.Conv2d(1, 1, 3), tmp_path / "whole.pt")
    line = refused("weights", "import", tmp_path / "whole.pt", "-o", tmp_path / "out.safetensors")
    assert "without running code" in line
    assert "state_dict" in line
