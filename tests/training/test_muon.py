"""The optimiser Muon."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_dran.network.dran import DRAN
from napari_dran.training.muon import Muon, orthogonalised, takes
from napari_dran.training.recipe import Recipe
from napari_dran.training.run import train

from .conftest import state


@pytest.mark.parametrize("shape", [(4, 64, 576), (1, 64, 20)])
def test_singular_values_are_near_one_and_directions_stay(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalised(matrices)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6
    assert values.max() < 1.25
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    nearest = left @ right
    assert torch.cosine_similarity(result.flatten(1), nearest.flatten(1)).min() > 0.97


def test_zero_gradients_move_nothing() -> None:
    assert orthogonalised(torch.zeros(1, 16, 16)).equal(torch.zeros(1, 16, 16))


def test_muon_is_for_hidden_kernels_and_adam_for_the_rest() -> None:
    network = DRAN(channels=3, features=16, blocks=1, layers=1)
    mine = {name for name, value in network.named_parameters() if takes(value)}
    assert mine == {"blocks.0.convs.0.weight", "gates.0.feature.weight", "gates.0.mask.weight"}
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = Muon(network.parameters(), lr=1e-2, betas=(0.9, 0.99))
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    optimizer.step()
    for name, value in network.named_parameters():
        step = (value.detach() - before[name]).square().mean().sqrt()
        if name in mine:
            # The size of Adam's step: 0.2 learning rates, were all singular values 1.
            assert 1e-3 < step < 3e-3, name
        elif value.ndim == 4:
            assert step == pytest.approx(1e-2, rel=0.1), name


def test_muon_learns_rare_directions_faster() -> None:
    generator = torch.Generator().manual_seed(0)
    size = torch.logspace(0, -2, 16)[:, None]
    turned, _ = torch.linalg.qr(torch.randn(16, 16, generator=generator))
    inputs = turned @ (torch.randn(16, 4096, generator=generator) * size)
    wanted = torch.randn(16, 16, generator=generator) / 4

    def error(make: type[torch.optim.Adam]) -> float:
        kernel = torch.nn.Parameter(torch.zeros(16, 16, 1, 1))
        optimizer = make([kernel], lr=2e-2, betas=(0.9, 0.99))
        for _ in range(60):
            optimizer.zero_grad()
            ((kernel[..., 0, 0] - wanted) @ inputs).square().mean().backward()
            optimizer.step()
        return float((kernel.detach()[..., 0, 0] - wanted).square().mean())

    assert error(Muon) < error(torch.optim.Adam)


def test_a_run_with_muon_goes_on_exactly(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    network = {"features": 16, "blocks": 1, "layers": 1}
    recipe = replace(tiny, optimizer="muon", network=network, steps=8)
    train(pictures / "grey", recipe, run=tmp_path / "whole", device="cpu")
    calls = iter(range(1, 100))
    run = tmp_path / "stopped"
    stopped = train(pictures / "grey", recipe, run=run, device="cpu", stop=lambda: next(calls) >= 3)
    assert stopped.step == 3
    torch.manual_seed(1)
    train(pictures / "grey", recipe, run=run, device="cpu")
    one, other = state(run), state(tmp_path / "whole")
    assert all(one[name].equal(other[name]) for name in other)
