"""Files that could only be read by running code in them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from napari_dran.errors import WeightsError
from napari_dran.weights import import_weights

from .conftest import trained


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.safetensors"


class Payload:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("unpickled",))


@pytest.mark.parametrize("name", ["model.ts", "model.pt", "model.zip"])
def test_torchscript(name: str, torchscript: Path, output: Path) -> None:
    source = torchscript.rename(torchscript.with_name(name))
    with pytest.raises(WeightsError, match="would run that program") as refused:
        import_weights(source, output)
    assert "torch.save(network.state_dict()" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_whole_module(tmp_path: Path, output: Path) -> None:
    torch.save(trained(), tmp_path / "whole.pt")
    with pytest.raises(WeightsError, match=r"pickle that calls monai\..*UNet") as refused:
        import_weights(tmp_path / "whole.pt", output)
    assert "torch.save(network.state_dict()" in str(refused.value)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_code_in_a_pickle_is_not_run(
    new: bool, tmp_path: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(
        {"state_dict": {"a": torch.zeros(1)}, "more": Payload()},
        tmp_path / "evil.pt",
        _use_new_zipfile_serialization=new,
    )
    with pytest.raises(WeightsError, match="without running code"):
        import_weights(tmp_path / "evil.pt", output)
    assert "unpickled" not in capsys.readouterr().out
    assert not output.exists()


def test_what_holds_no_weights(tmp_path: Path, output: Path) -> None:
    for name, content in (("a.pt", b"hello"), ("a.pt", b""), ("a.safetensors", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError):
            import_weights(tmp_path / name, output)
    for value in ({}, [1, 2], {"state_dict": {"a": 1}}, torch.zeros(2)):
        torch.save(value, tmp_path / "a.pt")
        with pytest.raises(WeightsError, match="holds no state dict"):
            import_weights(tmp_path / "a.pt", output)
    for missing in ("missing.pt", "missing.safetensors"):
        with pytest.raises(WeightsError, match="There is no checkpoint"):
            import_weights(tmp_path / missing, output)


def test_packed_bundle(tmp_path: Path, output: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("bundle/configs/metadata.json", "{}")
    with pytest.raises(WeightsError, match="Unpack it"):
        import_weights(tmp_path / "bundle.zip", output)
