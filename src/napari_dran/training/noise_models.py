"""Noise to train with: models of what scanners, detectors and reconstructions add.

Each model maps clean images (N, C, H, W) in [0, 1], one strength an image
(N, 1, 1, 1) in the same units, and a generator to noisy images, not clipped.
The strength is called sigma throughout; each model says what it means there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..noise import GREY_LEVELS
from .recipe import Noise

SMALLEST_GAIN = 1e-6
"""Below this variance at white, photons are too many to count and to matter."""

SMALLEST_EXCESS = 0.01
"""Of the noise factor above 1: below, amplification adds nothing that could be seen."""

LARGEST_READ_SHARE = 0.1

DARKEST_SPECKLE = 1e-7
"""Of the mean intensity: darker speckles are as good as black."""

EULER = 0.5772156649

DEFAULT_WIDTH = (0.3, 1.2)
"""Of the filter, in pixels: from the noise of flat areas in MR and CT volumes, whose
neighbours share 0.2 to 0.85 of their variance."""

Model = Callable[[Tensor, Tensor, torch.Generator], Tensor]


def gaussian(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add white Gaussian noise of standard deviation sigma: y = x + sigma n."""
    return clean + sigma * _normal(clean, generator)


def released(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add what the authors' released code adds: y = x + u, u uniform on [0, s / 2].

    That code works on [-1, 1] with s up to 0.5 for its sigma of 50, so here s is
    sigma in grey levels over 100. Never negative; its mean is s / 4 and its
    standard deviation s / (2 sqrt(12)), 18.4 grey levels at 50.
    """
    strength = sigma * (GREY_LEVELS / 100)
    uniform = torch.rand(clean.shape, generator=generator, device=clean.device)
    return clean + uniform * strength / 2


def rician(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Take the magnitude of a complex image: y = sqrt((x + sigma n)^2 + (sigma m)^2).

    Magnitude MR images (Gudbjartsson and Patz, Magnetic Resonance in Medicine
    34, 1995), n and m standard normal. E[y^2] = x^2 + 2 sigma^2; Rayleigh where
    x = 0, with mean sigma sqrt(pi / 2).
    """
    real = clean + sigma * _normal(clean, generator)
    return torch.hypot(real, sigma * _normal(clean, generator))


def poisson_gaussian(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Count photons and read them out: y = g Poisson(x / g) + r n.

    Foi et al., IEEE Transactions on Image Processing 17(10), 2008. The variance
    is g x + r^2. Sigma is the standard deviation at white, so g + r^2 = sigma^2;
    which share of that the photons have is drawn uniformly for each image.
    """
    share = torch.rand(sigma.shape, generator=generator, device=clean.device)
    gain = share * sigma**2
    countable = gain.clamp_min(SMALLEST_GAIN)
    photons = torch.poisson(clean.clamp_min(0) / countable, generator=generator) * countable
    counted = torch.where(gain >= SMALLEST_GAIN, photons, clean)
    read = torch.sqrt((1 - share) * sigma**2)
    return counted + read * _normal(clean, generator)


def speckle(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply by speckle: y = x G, G of a gamma distribution with mean 1.

    Intensity of coherent light or sound averaged over L = 1 / sigma^2 looks
    (Goodman, Speckle Phenomena in Optics, 2007): ultrasound and OCT. The
    standard deviation is sigma x; sigma = 1 is fully developed speckle.
    """
    looks = 1 / sigma.clamp_min(1e-3) ** 2
    gamma = torch._standard_gamma(looks.expand_as(clean).contiguous(), generator=generator)
    return clean * torch.where(sigma >= 1e-3, gamma / looks, torch.ones_like(clean))


def photomultiplier(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Count photons with an amplifier that treats no two alike: y = g M(N) + r n.

    Photomultiplier tubes and EMCCD cameras (Robbins and Hadwen, IEEE Transactions
    on Electron Devices 50(5), 2003): N = Poisson(x / g) photons come out as M(N),
    of a gamma distribution with mean N and variance N (F - 1). The excess noise
    factor F is drawn uniformly from [1, 2] for each image: 2 is an EMCCD, whose
    gain for one photon is exponential; 1 would be ``poisson_gaussian``. The
    variance is F g x + r^2 and the third moment F (2 F - 1) g^2 x. Sigma is the
    standard deviation at white; up to a tenth of sigma^2 is read noise.
    """
    excess, share = torch.rand((2, *sigma.shape), generator=generator, device=clean.device)
    excess, share = 1 + excess.clamp_min(SMALLEST_EXCESS), share * LARGEST_READ_SHARE
    gain = (1 - share) * sigma**2 / excess
    countable = gain.clamp_min(SMALLEST_GAIN)
    photons = torch.poisson(clean.clamp_min(0) / countable, generator=generator)
    shape = photons / (excess - 1)
    # A gamma distribution of shape 0 is 0, which its sampler does not know.
    amplified = torch._standard_gamma(shape.clamp_min(1e-3), generator=generator)
    amplified = torch.where(photons > 0, amplified * (excess - 1) * countable, 0.0)
    counted = torch.where(gain >= SMALLEST_GAIN, amplified, clean)
    return counted + torch.sqrt(share) * sigma * _normal(clean, generator)


def log_speckle(clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add fully developed speckle as a logarithmic display shows it.

    OCT and ultrasound images are logarithms of an intensity I E, E exponential
    (Goodman, Speckle Phenomena in Optics, 2007). That makes y = x + b (ln E + c),
    c Euler's constant: noise of mean 0 that does not depend on the signal, with a
    long dark tail. The standard deviation is sigma = b pi / sqrt(6); the skewness
    is -1.14.
    """
    uniform = torch.rand(clean.shape, generator=generator, device=clean.device)
    exponential = -torch.log1p(-uniform)
    logarithm = torch.log(exponential.clamp_min(DARKEST_SPECKLE))
    return clean + sigma * (math.sqrt(6) / math.pi) * (logarithm + EULER)


def correlated(
    clean: Tensor,
    sigma: Tensor,
    generator: torch.Generator,
    width: tuple[float, float] = DEFAULT_WIDTH,
    model: Model = gaussian,
) -> Tensor:
    """Add noise that neighbours share, as resampling leaves it.

    The noise of ``model``, white Gaussian by default, filtered with a Gaussian of
    standard deviation w pixels along y and another along x, each drawn from
    ``width`` for each image, as in images that were interpolated, reconstructed or
    scanned line by line. Its power spectrum is that of the white noise times
    |K(f)|^2, K the transform of the sampled filter, near exp(-(2 pi w f)^2). The
    variance stays, or where it depends on the signal, becomes its mean under K^2.
    """
    n, channels, height, wide = clean.shape
    low, high = width
    # Mirrored as far as the image reaches: noise of the right strength comes from outside.
    radius = min(math.ceil(3 * high), height - 1, wide - 1)
    wider = F.pad(clean, (radius,) * 4, mode="reflect")
    field = model(wider, sigma, generator) - wider
    widths = low + (high - low) * torch.rand((n, 2), generator=generator, device=clean.device)
    offsets = torch.arange(-radius, radius + 1, device=clean.device)
    kernels = torch.exp(-(offsets**2) / (2 * widths[..., None] ** 2))
    # Unit sum of squares keeps the variance of white noise.
    kernels = kernels / kernels.square().sum(-1, keepdim=True).sqrt()
    kernels = kernels.repeat_interleave(channels, dim=0)
    field = field.view(1, n * channels, *field.shape[2:])
    field = F.conv2d(field, kernels[:, 0, None, :, None], groups=n * channels)
    field = F.conv2d(field, kernels[:, 1, None, None, :], groups=n * channels)
    return clean + field.view(clean.shape)


NOISE_MODELS: dict[str, Model] = {
    "gaussian": gaussian,
    "released": released,
    "rician": rician,
    "poisson-gaussian": poisson_gaussian,
    "photomultiplier": photomultiplier,
    "speckle": speckle,
    "log-speckle": log_speckle,
    "correlated": correlated,
}


def add_noise(
    clean: Tensor,
    noises: Sequence[Noise],
    generator: torch.Generator,
    sigma: float | None = None,
) -> Tensor:
    """Add noise to each image: model and strength are drawn for each anew.

    Parameters
    ----------
    clean : Tensor
        (N, C, H, W) in [0, 1].
    noises : sequence of Noise
        The mixture.
    generator : torch.Generator
        On the device of ``clean``; it decides everything.
    sigma : float, optional
        Strength in grey levels of 255 in place of a random one. Models whose range
        has it are drawn from; if there are none, all of them are, each at the end of
        its range.

    Returns
    -------
    Tensor
        Same shape, not clipped.
    """
    if sigma is not None:
        noises = [n for n in noises if n.sigma[0] <= sigma <= n.sigma[1]] or noises
    n, device = len(clean), clean.device
    drawn = torch.rand((2, n, 1, 1, 1), generator=generator, device=device)
    total = sum(noise.weight for noise in noises)
    noisy, reached = clean, 0.0
    for noise in noises:
        low, high = noise.sigma
        if sigma is None:
            strength = low + (high - low) * drawn[0]
        else:
            strength = torch.full_like(drawn[0], min(max(sigma, low), high))
        added = _add(noise, clean, strength / GREY_LEVELS, generator)
        # All models run on all images: choosing first would wait for the device.
        chosen = (drawn[1] >= reached / total) if reached else torch.ones_like(drawn[1]) > 0
        noisy = torch.where(chosen, added, noisy)
        reached += noise.weight
    return noisy


def nearest_sigma(noises: Sequence[Noise], sigma: float) -> float:
    """Return the strength nearest to ``sigma`` that some model of a mixture reaches."""
    reached = (min(max(sigma, noise.sigma[0]), noise.sigma[1]) for noise in noises)
    return min(reached, key=lambda strength: abs(strength - sigma))


def _add(noise: Noise, clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    model = NOISE_MODELS[noise.model]
    if noise.width is None:
        return model(clean, sigma, generator)
    white = gaussian if noise.model == "correlated" else model
    return correlated(clean, sigma, generator, noise.width, white)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)
