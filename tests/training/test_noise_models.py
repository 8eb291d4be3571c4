"""Noise models against their formulas: moments, spectrum, seeds, mixtures."""

from __future__ import annotations

import math

import pytest
import torch

from napari_dran.training.noise_models import (
    NOISE_MODELS,
    add_noise,
    correlated,
    gaussian,
    log_speckle,
    photomultiplier,
    poisson_gaussian,
    released,
    rician,
    speckle,
)
from napari_dran.training.recipe import NOISE_NAMES, WITH_WIDTH, Noise, sigma_range

SIDE = 256
LEVELS = torch.tensor([0.0, 0.2, 0.5, 1.0]).view(4, 1, 1, 1)
FLAT = LEVELS.expand(4, 1, SIDE, SIDE).contiguous()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def strength(sigma: float, count: int = 4) -> torch.Tensor:
    return torch.full((count, 1, 1, 1), sigma)


def moments(noisy: torch.Tensor) -> tuple[list[float], list[float]]:
    values = noisy.double().flatten(1)
    return values.mean(1).tolist(), values.var(1).tolist()


def test_gaussian() -> None:
    noise = gaussian(FLAT, strength(0.1), seeded()) - FLAT
    means, variances = moments(noise)
    assert means == pytest.approx([0] * 4, abs=0.002)
    assert variances == pytest.approx([0.01] * 4, rel=0.02)
    assert (noise.abs() < 0.1).float().mean().item() == pytest.approx(0.6827, abs=0.005)
    assert (noise**4).mean().item() / 0.01**2 == pytest.approx(3, rel=0.03)


def test_released_is_uniform_and_far_weaker_than_its_sigma() -> None:
    noise = released(FLAT, strength(50 / 255), seeded()) - FLAT
    assert noise.min().item() >= -1e-6
    assert noise.max().item() == pytest.approx(0.25, abs=0.001)
    assert noise.mean().item() == pytest.approx(0.125, abs=0.001)
    assert noise.std().item() == pytest.approx(0.25 / math.sqrt(12), rel=0.01)
    assert noise.std().item() * 255 == pytest.approx(18.4, abs=0.1)


def test_rician() -> None:
    sigma = 0.1
    noisy = rician(FLAT, strength(sigma), seeded())
    assert noisy.min().item() >= 0
    squares = noisy.double().square().flatten(1).mean(1)
    expected = [x**2 + 2 * sigma**2 for x in LEVELS.flatten().tolist()]
    assert squares.tolist() == pytest.approx(expected, rel=0.01)
    # A Rayleigh distribution where there is no signal.
    assert noisy[0].mean().item() == pytest.approx(sigma * math.sqrt(math.pi / 2), rel=0.01)
    assert noisy[0].var().item() == pytest.approx(sigma**2 * (2 - math.pi / 2), rel=0.02)


def test_poisson_gaussian_variance_is_linear_in_the_signal() -> None:
    sigma, count = 0.15, 64
    clean = torch.tensor([0.0, 0.5, 1.0]).repeat_interleave(count).view(-1, 1, 1, 1)
    clean = clean.expand(-1, 1, 64, 64).contiguous()
    noise = poisson_gaussian(clean, strength(sigma, len(clean)), seeded()) - clean
    variances = noise.double().flatten(1).var(1).view(3, count).mean(1)
    # At white sigma^2 whatever the shares; elsewhere the mean over the shares.
    assert variances.tolist() == pytest.approx([sigma**2 / 2, sigma**2 * 0.75, sigma**2], rel=0.15)
    white = noise[2 * count :].double().flatten(1).var(1)
    assert white.tolist() == pytest.approx([sigma**2] * count, rel=0.15)
    assert noise.mean().item() == pytest.approx(0, abs=0.002)


def test_speckle_is_gamma_of_mean_one() -> None:
    noisy = speckle(FLAT, strength(0.3), seeded())
    means, variances = moments(noisy)
    levels = LEVELS.flatten().tolist()
    assert means == pytest.approx(levels, abs=0.005)
    assert variances == pytest.approx([(0.3 * x) ** 2 for x in levels], rel=0.03, abs=1e-9)
    third = ((noisy[3].double() - 1) / 0.3).pow(3).mean().item()
    assert third == pytest.approx(2 * 0.3, rel=0.15)  # 2 / sqrt(looks)
    # Fully developed: an exponential distribution.
    full = speckle(torch.ones(1, 1, SIDE, SIDE), strength(1.0, 1), seeded())
    assert (full > 1).float().mean().item() == pytest.approx(math.exp(-1), abs=0.01)


def test_photomultiplier_has_the_moments_of_its_amplifier() -> None:
    sigma, level = 0.3, 0.4
    clean = torch.full((200, 1, 96, 96), level)
    noise = (photomultiplier(clean, strength(sigma, 200), seeded()) - clean).double().flatten(1)
    assert noise.mean().item() == pytest.approx(0, abs=0.001)
    # Up to a tenth of the variance at white is read noise, the rest grows with the signal.
    expected = [sigma**2 * (share + (1 - share) * level) for share in (0, 0.1)]
    variances = noise.var(1)
    assert expected[0] * 0.95 < variances.min() < variances.max() < expected[1] * 1.05
    # With gain sigma^2 (1 - share) / F it is (2 - 1 / F) (1 - share)^2, on average this.
    third = noise.pow(3).mean(1) / (sigma**4 * level)
    assert third.mean().item() == pytest.approx((2 - math.log(2)) * 0.9033, rel=0.03)
    assert third.min() < 1 < 1.4 < third.max()
    dark = torch.zeros(20, 1, 64, 64)
    assert photomultiplier(dark, strength(sigma, 20), seeded()).var().item() < 0.1 * sigma**2


def test_log_speckle_is_the_logarithm_of_an_exponential() -> None:
    sigma = 0.1
    noise = (log_speckle(FLAT, strength(sigma), seeded()) - FLAT).double()
    means, variances = moments(noise)
    assert means == pytest.approx([0] * 4, abs=0.002)
    assert variances == pytest.approx([sigma**2] * 4, rel=0.03)
    assert noise.pow(3).mean().item() / sigma**3 == pytest.approx(-1.1395, abs=0.1)
    # The intensity is above its mean with probability exp(-1).
    bright = noise > sigma * math.sqrt(6) / math.pi * 0.5772
    assert bright.double().mean().item() == pytest.approx(math.exp(-1), abs=0.005)


@pytest.mark.parametrize("name", WITH_WIDTH)
def test_a_filter_correlates_noise_and_keeps_its_strength(name: str) -> None:
    clean = torch.full((64, 1, 48, 48), 0.5)
    mixture = [Noise(name, (40, 40))], [Noise(name, (40, 40), width=(0.8, 0.8))]
    white, wide = (add_noise(clean, noises, seeded()) - clean for noises in mixture)
    if name != "correlated":
        assert wide.std().item() == pytest.approx(white.std().item(), rel=0.05)
        assert (white[..., 1:] * white[..., :-1]).mean().item() / white.var().item() < 0.02
    neighbours = (wide[..., 1:] * wide[..., :-1]).mean().item() / wide.var().item()
    assert neighbours == pytest.approx(math.exp(-1 / (4 * 0.8**2)), abs=0.03)


def test_a_given_strength_is_drawn_from_models_that_reach_it() -> None:
    clean = torch.full((64, 1, 32, 32), 0.5)
    mixture = (Noise(sigma=(0, 50)), Noise(sigma=(0, 5)))
    for sigma in (5.0, 50.0):
        found = (add_noise(clean, mixture, seeded(), sigma) - clean).flatten(1).std(1) * 255
        assert found.min() > 0.8 * sigma
        assert found.max() < 1.2 * sigma
    found = (add_noise(clean, (Noise(sigma=(0, 20)),), seeded(), 50.0) - clean).std() * 255
    assert found == pytest.approx(20, rel=0.05)


def test_correlated_noise_has_the_power_spectrum_of_its_filter() -> None:
    width, sigma, count = 1.0, 0.1, 32
    clean = torch.full((count, 1, 64, 64), 0.5)
    noise = correlated(clean, strength(sigma, count), seeded(), (width, width)) - clean
    assert noise.std().item() == pytest.approx(sigma, rel=0.03)
    power = torch.fft.fft2(noise.double()[:, 0]).abs().square().mean(0) / 64**2
    offsets = torch.arange(-3, 4, dtype=torch.float64)
    kernel = torch.exp(-(offsets**2) / (2 * width**2))
    kernel /= kernel.square().sum().sqrt()
    frequency = torch.fft.fftfreq(64, dtype=torch.float64)
    transfer = (torch.exp(2j * math.pi * frequency[:, None] * offsets) * kernel).sum(1).abs() ** 2
    expected = sigma**2 * transfer[:, None] * transfer[None]
    # Averages over bands: a single frequency is too noisy to compare.
    for low, high in ((0, 6), (6, 12), (12, 18)):
        band = slice(low, high)
        assert power[band, band].mean().item() == pytest.approx(
            expected[band, band].mean().item(), rel=0.15
        )
    analytic = torch.exp(-((2 * math.pi * width * frequency[:12]) ** 2))
    torch.testing.assert_close(transfer[:12] / transfer[0], analytic, rtol=0.05, atol=0.01)


def test_a_narrow_filter_leaves_noise_white() -> None:
    clean = torch.zeros(4, 1, 64, 64)
    noise = correlated(clean, strength(0.1), seeded(), (0.05, 0.05))
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean().item()
    assert neighbours / 0.01 == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("name", NOISE_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_model_is_seeded_finite_and_nothing_at_zero(name: str, channels: int) -> None:
    clean = torch.rand(3, channels, 20, 24, generator=seeded(1))
    first, again = (NOISE_MODELS[name](clean, strength(0.1, 3), seeded(5)) for _ in range(2))
    assert first.equal(again)
    assert first.shape == clean.shape
    assert first.isfinite().all()
    assert not first.equal(NOISE_MODELS[name](clean, strength(0.1, 3), seeded(6)))
    nothing = NOISE_MODELS[name](clean, strength(0.0, 3), seeded(5))
    torch.testing.assert_close(nothing, clean, atol=1e-6, rtol=0)


def test_names_are_those_of_the_recipe() -> None:
    assert tuple(NOISE_MODELS) == NOISE_NAMES


def test_mixture_draws_models_by_weight() -> None:
    clean = torch.full((400, 1, 16, 16), 0.5)
    mixture = [Noise("gaussian", (10, 10), weight=1), Noise("released", (50, 50), weight=3)]
    noise = add_noise(clean, mixture, seeded()) - clean
    one_sided = (noise.flatten(1).min(1).values >= 0).float().mean().item()
    assert one_sided == pytest.approx(0.75, abs=0.06)


def test_strength_is_drawn_from_the_range_or_given() -> None:
    clean = torch.full((300, 1, 16, 16), 0.5)
    levels = (add_noise(clean, [Noise(sigma=(10, 30))], seeded()) - clean).std((1, 2, 3)) * 255
    assert 8 < levels.min() < 12
    assert 28 < levels.max() < 33
    assert levels.mean().item() == pytest.approx(20, abs=1)
    fixed = (add_noise(clean, [Noise()], seeded(), 25) - clean).std().item() * 255
    assert fixed == pytest.approx(25, rel=0.02)
    kept = (add_noise(clean, [Noise(sigma=(0, 10))], seeded(), 25) - clean).std().item() * 255
    assert kept == pytest.approx(10, rel=0.02)


def test_range_of_a_mixture() -> None:
    assert sigma_range([Noise(sigma=(5, 20)), Noise("rician", (1, 10))]) == (1, 20)
