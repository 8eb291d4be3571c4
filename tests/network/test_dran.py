"""The network against its paper, against itself, and against the equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dran.errors import InputError
from napari_dran.network.baselines import DnCNN, ResidualMID
from napari_dran.network.blocks import DynamicConv2d, KernelAttention, NoiseGate
from napari_dran.network.corners import QuietCorners, limit_corners
from napari_dran.network.dran import DRAN
from napari_dran.network.fused import FusedDRAN, fuse
from napari_dran.samples import load_sample

SMALL = {"features": 8, "blocks": 2, "layers": 2, "kernels": 3}


def lively(network: torch.nn.Module, amount: float = 0.1, seed: int = 0) -> torch.nn.Module:
    """Give every parameter and batch statistic a value that matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0, generator=generator)
            elif value.is_floating_point():
                value.copy_(value + amount * torch.randn(value.shape, generator=generator))
    return network.eval()


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_are_those_of_the_paper() -> None:
    assert count(DRAN(channels=3)) == 2_458_944
    assert count(DRAN(channels=1)) == 2_456_640
    # Shared blocks: two blocks of 5 x 148,928 parameters are not built.
    assert count(DRAN.released()) == 2_458_944 - 2 * 5 * 148_928


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | float, pad: str) -> np.ndarray:
    """Slow 3 x 3 convolution of (C, H, W) in float64, pixel by pixel."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode=pad)
    out = np.zeros((weight.shape[0], *x.shape[1:]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, i, j] = np.einsum("oiyx,iyx->o", weight, padded[:, i : i + 3, j : j + 3])
    return out + (bias if np.isscalar(bias) else np.asarray(bias)[:, None, None])


def equations(network: DRAN, image: np.ndarray, pad: str = "constant") -> np.ndarray:
    """Equations 1 to 10 in NumPy, for one image (C, H, W)."""
    p = {key: value.double().numpy() for key, value in network.state_dict().items()}
    a = network.arguments
    x = image * 2 - 1 if a["bounded"] else image
    x = np.maximum(convolve(x, p["head.weight"], 0.0, "constant"), 0)
    for b in range(a["blocks"]):
        y, block = x, 0 if a["share_blocks"] else b
        for layer in range(a["layers"]):
            conv, norm = f"blocks.{block}.convs.{layer}", f"blocks.{block}.norms.{layer}"
            z = y.mean(axis=(1, 2))  # eq. 4
            hidden = np.maximum(p[f"{conv}.attention.squeeze.weight"] @ z, 0)
            logits = p[f"{conv}.attention.excite.weight"] @ hidden / a["temperature"]
            pi = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            weight = sum(pi[k] * p[f"{conv}.weight"][k] for k in range(a["kernels"]))  # eq. 3
            bias = sum(pi[k] * p[f"{conv}.bias"][k] for k in range(a["kernels"]))
            y = convolve(y, weight, bias, "constant")
            scale = p[f"{norm}.weight"] / np.sqrt(p[f"{norm}.running_var"] + 1e-5)  # eq. 7
            y = (y - p[f"{norm}.running_mean"][:, None, None]) * scale[:, None, None]
            y = np.maximum(y + p[f"{norm}.bias"][:, None, None], 0)  # eq. 2
        if not a["gates"]:
            x = y + x
            continue
        gate = f"gates.{b}"
        g = convolve(x, p[f"{gate}.feature.weight"], p[f"{gate}.feature.bias"], pad)  # eq. 8
        f = convolve(x, p[f"{gate}.mask.weight"], p[f"{gate}.mask.bias"], pad)  # eq. 9
        # eq. 10, in the order in which the released code computes it.
        gated = g / (1 + np.exp(-f))
        x = y + np.where(gated > 0, gated, a["gate_slope"] * gated)
    noise = convolve(x, p["tail.weight"], 0.0, "constant")
    return np.tanh(noise) / 2 if a["bounded"] else noise


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gates", [True, False])
@pytest.mark.parametrize("fused", [False, True])
def test_forward_is_the_equations(channels: int, gates: bool, fused: bool) -> None:
    network = lively(DRAN(channels, **SMALL, gates=gates))
    image = np.random.default_rng(0).random((channels, 9, 11))
    with torch.no_grad():
        run = fuse(network) if fused else network
        noise = run(torch.from_numpy(image[None]).float())[0].numpy()
    np.testing.assert_allclose(noise, equations(network, image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_dense_convolution_is_the_grouped_one(precision: torch.dtype) -> None:
    network = lively(DRAN(1, **SMALL))
    images = torch.rand(3, 1, 12, 16)
    noises, gradients = [], []
    for form in ("grouped", "dense"):
        network.set_convolution(form)
        network.zero_grad()
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            noise = network(images).float()
        noise.square().mean().backward()
        noises.append(noise.detach())
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    tolerance = 1e-4 if precision == torch.float32 else 0.03
    for one, other in (noises, gradients):
        assert (one - other).norm() <= tolerance * one.norm()


def test_compatibility_switches_are_the_equations_of_the_released_code() -> None:
    switches = {"share_blocks": True, "gate_slope": 0.2, "gate_padding": "reflect"}
    network = lively(DRAN(3, **SMALL, **switches, bounded=True, temperature=34.0))
    image = np.random.default_rng(1).random((3, 8, 10))
    with torch.no_grad():
        noise = network(torch.from_numpy(image[None]).float())[0].numpy()
    np.testing.assert_allclose(noise, equations(network, image, "reflect"), rtol=1e-4, atol=1e-5)


def test_attention_sums_to_one_and_sharpens_as_temperature_falls() -> None:
    attention = KernelAttention(16, 4, temperature=30.0)
    x = torch.rand(5, 16, 6, 7) * 10
    soft = attention(x)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(5))
    attention.temperature = 1.0
    sharp = attention(x)
    torch.testing.assert_close(sharp.sum(dim=1), torch.ones(5))
    assert sharp.max() > soft.max()


def test_aggregated_kernels_are_convex_combinations() -> None:
    conv = DynamicConv2d(4, 6, kernels=3)
    pi = torch.tensor([[1.0, 0, 0], [0.2, 0.3, 0.5]])
    weight, bias = conv.aggregate(pi)
    torch.testing.assert_close(weight[0], conv.weight[0])
    torch.testing.assert_close(
        weight[1], 0.2 * conv.weight[0] + 0.3 * conv.weight[1] + 0.5 * conv.weight[2]
    )
    assert bias.shape == (2, 6)
    assert torch.count_nonzero(conv.bias) == 0


def test_gate_of_paper_and_released_code_are_one_function() -> None:
    gate = NoiseGate(4, slope=0.2)
    x = torch.randn(2, 4, 8, 8)
    released = torch.nn.functional.leaky_relu(gate.feature(x) * torch.sigmoid(gate.mask(x)), 0.2)
    torch.testing.assert_close(gate(x), released)


@pytest.mark.parametrize("fused", [False, True])
def test_a_batch_is_its_images_one_by_one(fused: bool) -> None:
    network = lively(DRAN(1, **SMALL))
    network = fuse(network) if fused else network
    images = torch.rand(4, 1, 16, 20)
    with torch.no_grad():
        singles = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), singles, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_fused_network_is_the_network(channels: int) -> None:
    network = lively(DRAN(channels), amount=0.01)
    image = torch.rand(2, channels, 24, 18) * 1.5 - 0.25
    with torch.no_grad():
        expected, fused = limit_corners(network(image)), fuse(network)(image)
    torch.testing.assert_close(fused, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_fused_released_variant_is_the_network() -> None:
    network = lively(DRAN.released(1), amount=0.01)
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(fuse(network)(image), network(image), rtol=1e-4, atol=1e-5)


def test_fusing_leaves_the_network_trainable() -> None:
    network = DRAN(1, **SMALL).eval()
    fused = fuse(network)
    assert [type(part) for part in fused] == [FusedDRAN, QuietCorners]
    assert all(parameter.requires_grad for parameter in network.parameters())
    shared = {p.data_ptr() for p in network.parameters()} & {
        p.data_ptr() for p in (*fused.parameters(), *fused.buffers())
    }
    assert not shared


@pytest.mark.parametrize("share_blocks", [False, True])
def test_gradients_reach_every_parameter(share_blocks: bool) -> None:
    torch.manual_seed(0)
    network = DRAN(1, **SMALL, share_blocks=share_blocks).train()
    network(torch.rand(2, 1, 16, 16)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # Before batch normalisation a common bias has no effect, only the mix of them has.
        if not name.endswith("conv.bias"):
            assert torch.count_nonzero(parameter.grad) > 0, name


@pytest.mark.parametrize("shape", [(8, 8), (8, 31), (33, 9)])
def test_any_size_from_eight_pixels(shape: tuple[int, int]) -> None:
    network = DRAN(1, **SMALL).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, *shape)).shape == (1, 1, *shape)


@pytest.mark.parametrize(
    ("shape", "words"),
    [((1, 1, 7, 9), "at least 8 x 8"), ((1, 3, 9, 9), r"\(N, 1,"), ((1, 9, 9), r"\(N, 1,")],
)
def test_wrong_input_is_refused(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        DRAN(1, **SMALL)(torch.rand(shape))


@pytest.mark.parametrize(("network", "convolutions"), [(DnCNN(3), 17), (ResidualMID(3), 10)])
def test_baselines(network: torch.nn.Module, convolutions: int) -> None:
    found = sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())
    assert found == convolutions
    with torch.no_grad():
        assert network.eval()(torch.rand(2, 3, 12, 10)).shape == (2, 3, 12, 10)


def test_an_untrained_dncnn_lets_the_noise_through() -> None:
    # With random kernels 0.009 of 1 came through, and it learnt nothing in 2000 steps.
    torch.manual_seed(0)
    image = torch.from_numpy(load_sample("micrograph").data / np.float32(255)).movedim(-1, 0)
    clean = torch.stack([image[:, top : top + 64, 64:128] for top in (0, 64, 96, 128)])
    noise = 0.1 * torch.randn(clean.shape)
    with torch.no_grad():
        features = DnCNN(3).train().layers[:-1](clean + noise)
    both = torch.cat([features.transpose(0, 1).flatten(1), noise.transpose(0, 1).flatten(1)])
    shared = torch.corrcoef(both).nan_to_num()[:64, 64:]
    assert shared.square().mean().sqrt() > 0.015
