"""Checkpoints of the authors' code, made here with the same key names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_dran.errors import WeightsError
from napari_dran.network.dran import DRAN
from napari_dran.network.released import network_from_released
from napari_dran.weights import import_checkpoint, load_weights


def released_state(channels: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict with the names and shapes of the released code's network."""
    torch.manual_seed(seed)
    state = {
        "inputLayer.0.weight": torch.randn(64, channels, 3, 3) * 0.1,
        "outputLayer.weight": torch.randn(channels, 64, 3, 3) * 0.02,
    }
    for block in (1, 2, 3):
        for layer in range(5):
            conv, norm = f"block{block}.{3 * layer}", f"block{block}.{3 * layer + 1}"
            state[f"{conv}.weight"] = torch.randn(4, 64, 64, 3, 3) * 0.04
            state[f"{conv}.bias"] = torch.randn(4, 64) * 0.1
            state[f"{conv}.attention.fc1.weight"] = torch.randn(16, 64, 1, 1)
            state[f"{conv}.attention.fc2.weight"] = torch.randn(4, 16, 1, 1)
            state[f"{norm}.weight"] = torch.rand(64) + 0.5
            state[f"{norm}.bias"] = torch.randn(64) * 0.1
            state[f"{norm}.running_mean"] = torch.randn(64) * 0.1
            state[f"{norm}.running_var"] = torch.rand(64) + 0.5
            state[f"{norm}.num_batches_tracked"] = torch.tensor(7)
        for conv in ("conv2d", "mask_conv2d"):
            state[f"noiseGate{block}.{conv}.weight"] = torch.randn(64, 64, 3, 3) * 0.04
            state[f"noiseGate{block}.{conv}.bias"] = torch.randn(64) * 0.1
    return state


def released_forward(state: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """What the released code computes with it, on one image in [-1, 1]."""
    f = torch.nn.functional
    x = f.relu(f.conv2d(image, state["inputLayer.0.weight"], padding=1))
    for block in (1, 2, 3):
        y = x
        for layer in range(5):  # block 1 is run three times
            conv, norm = f"block1.{3 * layer}", f"block1.{3 * layer + 1}"
            z = y.mean((2, 3), keepdim=True)
            z = f.conv2d(
                f.relu(f.conv2d(z, state[f"{conv}.attention.fc1.weight"])),
                state[f"{conv}.attention.fc2.weight"],
            )
            pi = torch.softmax(z.flatten() / 34, 0)
            weight = torch.einsum("k,koiyx->oiyx", pi, state[f"{conv}.weight"])
            y = f.conv2d(y, weight, pi @ state[f"{conv}.bias"], padding=1)
            y = f.relu(
                f.batch_norm(
                    y,
                    state[f"{norm}.running_mean"],
                    state[f"{norm}.running_var"],
                    state[f"{norm}.weight"],
                    state[f"{norm}.bias"],
                )
            )
        padded = f.pad(x, (1, 1, 1, 1), mode="reflect")
        gate = {
            name: f.conv2d(
                padded,
                state[f"noiseGate{block}.{name}.weight"],
                state[f"noiseGate{block}.{name}.bias"],
            )
            for name in ("conv2d", "mask_conv2d")
        }
        x = y + f.leaky_relu(gate["conv2d"] * torch.sigmoid(gate["mask_conv2d"]), 0.2)
    return torch.tanh(f.conv2d(x, state["outputLayer.weight"], padding=1))


@pytest.mark.parametrize("channels", [1, 3])
def test_loaded_checkpoint_computes_what_the_released_code_does(channels: int) -> None:
    state = released_state(channels)
    image = torch.rand(1, channels, 16, 12)
    with torch.no_grad():
        noise = network_from_released(state)(image)
        expected = released_forward(state, image * 2 - 1) / 2
    torch.testing.assert_close(noise, expected, rtol=1e-4, atol=1e-5)


def test_unused_blocks_change_nothing() -> None:
    state = released_state()
    other = {k: v + 1 if k.startswith(("block2", "block3")) else v for k, v in state.items()}
    image = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(network_from_released(state)(image), network_from_released(other)(image))


@pytest.mark.parametrize("wrapped", [False, True])
def test_import_from_file(tmp_path: Path, wrapped: bool) -> None:
    state = released_state()
    state = {f"module.{key}": value for key, value in state.items()} if wrapped else state
    saved = {"step": 3, "stateDictEG": state, "schedulerLR": None} if wrapped else state
    torch.save(saved, tmp_path / "theirs.pth")
    card = import_checkpoint(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    assert (card.channels, card.name) == (3, "ours")
    assert card.arguments["share_blocks"] is True
    network, _ = load_weights(tmp_path / "ours.safetensors")
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        expected = network_from_released(state)(image)
        # Stored in half precision.
        torch.testing.assert_close(network(image), expected, rtol=0.02, atol=2e-3)


class Payload:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("unpickled",))


def test_code_in_a_checkpoint_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"stateDictEG": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="without running code"):
        import_checkpoint(tmp_path / "evil.pth", tmp_path / "out.safetensors")
    assert "unpickled" not in capsys.readouterr().out
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer4.weight": torch.zeros(1)}, "layer4.weight"),
        ({"block1.0.weight": torch.zeros(4, 32, 64, 3, 3)}, "does not fit"),
    ],
)
def test_other_checkpoints_are_refused(change: dict[str, torch.Tensor], words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        network_from_released(released_state() | change)


def test_checkpoint_of_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="inputLayer"):
        network_from_released({k: v for k, v in released_state().items() if "input" not in k})


def test_released_has_the_paper_count_with_its_unused_blocks() -> None:
    used = sum(p.numel() for p in DRAN.released(3).parameters())
    unused = sum(
        v.numel()
        for k, v in released_state(3).items()
        if k.startswith(("block2", "block3")) and "running" not in k and "tracked" not in k
    )
    assert used + unused == 2_458_944
