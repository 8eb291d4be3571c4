"""Weight files: what is written comes back, what is damaged is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from napari_dran.errors import FileWriteError, OutputExistsError, WeightsError
from napari_dran.network.dran import DRAN
from napari_dran.weights import (
    CARD_KEY,
    Card,
    build_network,
    list_weights,
    load_weights,
    own_weights_folder,
    read_card,
    save_weights,
    weights_file,
)

SMALL = {"channels": 1, "features": 8, "blocks": 1, "layers": 2}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    network = DRAN(**SMALL)
    card = Card("tiny", "dran", network.arguments, 1, (0.0, 50.0), data={"here": "CC0"}, steps=3)
    save_weights(tmp_path / "tiny.safetensors", network, card)
    return tmp_path / "tiny.safetensors"


def test_round_trip(saved: Path) -> None:
    network, card = load_weights(saved)
    assert (card.name, card.steps, card.kind, card.data) == ("tiny", 3, "grey", {"here": "CC0"})
    assert card == read_card(str(saved))
    assert not network.training
    stored = load_file(saved)
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value.numpy().astype(stored[name].dtype), stored[name])
        if value.is_floating_point():
            assert value.dtype == torch.float32


def test_what_half_precision_cannot_hold_is_stored_in_full(tmp_path: Path) -> None:
    network = DRAN(**SMALL).bfloat16()
    with torch.no_grad():
        network.head.weight[0] = 1e6
    card = Card("large", "dran", network.arguments, 1, (0.0, 50.0))
    save_weights(tmp_path / "large.safetensors", network, card)
    loaded, _ = load_weights(tmp_path / "large.safetensors")
    torch.testing.assert_close(loaded.head.weight, network.head.weight.float())
    kinds = {value.dtype.name for value in load_file(tmp_path / "large.safetensors").values()}
    assert {"float16", "float32"} <= kinds


def test_reading_a_card_does_not_load_torch(saved: Path) -> None:
    code = (
        "import sys; from napari_dran.weights import read_card; "
        f"print(read_card({str(saved)!r}).name, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tiny", "False"]


def test_shipped_weights_load_and_state_what_they_are() -> None:
    cards = {card.name: card for card in list_weights()}
    assert {"dran-grey", "dran-colour"} <= set(cards)
    assert cards["dran-grey"].channels == 1
    assert cards["dran-colour"].channels == 3
    for name, card in cards.items():
        assert card.sigma_range == ((0.0, 90.0) if name == "dran-grey-real" else (0.0, 50.0))
        assert card.steps > 0
        assert card.data
        assert card.scores
        network, _ = load_weights(name)
        expected = 2_456_640 if card.channels == 1 else 2_458_944
        assert sum(p.numel() for p in network.parameters()) == expected


GOLDEN = {
    "dran-grey": ([-0.00272], -0.0032, 0.23444),
    "dran-grey-real": ([-0.08525], 0.0055, 0.16544),
    "dran-colour": ([-0.03954, -0.04909, 0.0404], -0.00055, 0.07102),
}
"""Noise at one pixel, its mean and standard deviation, when the weights were shipped.
New weights need new numbers; new code must not."""


@pytest.mark.parametrize("name", GOLDEN)
def test_shipped_weights_give_what_they_gave_when_they_were_shipped(name: str) -> None:
    network, card = load_weights(name)
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(20.0), indexing="ij")
    wave = [
        0.5
        + 0.3 * torch.sin(0.7 * x + k) * torch.cos(0.4 * y)
        + 0.1 * torch.sin(37 * x + 53 * y + k)
        for k in range(card.channels)
    ]
    with torch.no_grad():
        noise = network(torch.stack(wave)[None])
    pixel, mean, deviation = GOLDEN[name]
    np.testing.assert_allclose(noise[0, :, 11, 9], pixel, atol=2e-4)
    np.testing.assert_allclose([noise.mean(), noise.std()], [mean, deviation], atol=2e-4)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(WeightsError, match=r"dran-gray.*dran-colour, dran-grey"):
        load_weights("dran-gray")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        load_weights(tmp_path / "none.safetensors")


def test_file_that_is_no_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"PK\x03\x04 a pickle in a zip")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_weights(path)


def test_file_without_a_card(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "bare.safetensors")
    with pytest.raises(WeightsError, match="no readable card"):
        load_weights(tmp_path / "bare.safetensors")
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "list.safetensors", {CARD_KEY: "[]"})
    with pytest.raises(WeightsError, match="no readable card"):
        load_weights(tmp_path / "list.safetensors")


@pytest.mark.parametrize("weights", [None, 5])
def test_what_is_no_name(weights: object) -> None:
    with pytest.raises(WeightsError, match="name or a file of weights"):
        read_card(weights)  # type: ignore[arg-type]


def test_changed_tensor_is_noticed(saved: Path) -> None:
    tensors, card = load_file(saved), read_card(saved)
    tensors["tail.weight"][0, 0, 0, 0] += 1
    save_file(tensors, saved, metadata={CARD_KEY: card.to_json()})
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(saved)


def test_unknown_architecture_and_arguments() -> None:
    with pytest.raises(WeightsError, match=r"'resnet'.*dran"):
        build_network("resnet", {})
    with pytest.raises(WeightsError, match="later version"):
        build_network("dran", {"wings": 2})


def test_card_of_a_later_version_is_read(saved: Path) -> None:
    values = json.loads(read_card(saved).to_json()) | {"mood": "sunny"}
    assert Card.from_json(json.dumps(values)) == read_card(saved)


def test_existing_file_is_kept_unless_told(saved: Path) -> None:
    network, card = load_weights(saved)
    before = saved.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        save_weights(saved, network, card)
    assert saved.read_bytes() == before
    save_weights(saved, network, card, overwrite=True)
    assert list(saved.parent.iterdir()) == [saved]


def test_failed_writing_leaves_nothing(saved: Path) -> None:
    network, card = load_weights(saved)
    with pytest.raises(FileWriteError, match="Could not write"):
        save_weights(saved.parent / "missing" / "a.safetensors", network, card)
    with pytest.raises(FileWriteError, match="safetensors files"):
        save_weights(saved.parent / "a.pth", network, card)
    assert list(saved.parent.iterdir()) == [saved]


def test_own_weights_are_known_by_the_names_of_their_files(saved: Path) -> None:
    folder = own_weights_folder()
    folder.mkdir(parents=True)
    shipped = [card.name for card in list_weights()]
    for name in ("my.scans", "dran-grey"):
        shutil.copy(saved, folder / f"{name}.safetensors")
    (folder / "broken.safetensors").write_bytes(b"not weights")
    assert [card.name for card in list_weights()] == [*shipped, "my.scans"]
    assert load_weights("my.scans")[1].steps == 3
    assert weights_file("my.scans").parent == folder
    assert weights_file("dran-grey").parent != folder, "shipped names stay what they are"
    with pytest.raises(WeightsError, match=r"Known are dran-colour.*my\.scans"):
        read_card("others")


def test_own_folder_is_the_systems_place_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAPARI_DRAN_HOME")
    assert own_weights_folder().is_absolute()
    assert own_weights_folder().parts[-2:] == ("napari-dran", "weights")


def test_home_is_understood(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(saved.parent))
    network, card = load_weights("~/tiny.safetensors")
    assert card.name == "tiny"
    save_weights("~/other.safetensors", network, card)
    assert read_card(saved.with_name("other.safetensors")).sha256 == card.sha256
