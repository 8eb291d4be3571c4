"""Telling white Gaussian noise from what machines make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dran.denoising.suggestion import GREY, REAL, suggest_weights
from napari_dran.noise import add_gaussian
from napari_dran.noise_kind import NoiseKind, noise_kind
from napari_dran.training.noise_models import add_noise
from napari_dran.training.recipe import Noise


def ramp() -> np.ndarray:
    y, x = np.mgrid[:256, :256] / 255
    return (0.2 + 0.3 * x + 0.3 * y).astype(np.float32)


def simulated(model: str, width: tuple[float, float] | None = None) -> np.ndarray:
    clean = torch.from_numpy(ramp())[None, None]
    noise = Noise(model, sigma=(40, 40), width=width)
    return add_noise(clean, [noise], torch.Generator().manual_seed(0))[0, 0].numpy()


def test_white_noise_over_a_ramp() -> None:
    kind = noise_kind([add_gaussian(ramp(), 25, seed) for seed in range(3)])
    assert kind is not None
    assert kind.correlation == pytest.approx(0, abs=0.02)
    assert kind.change == pytest.approx(1, abs=0.1)
    assert kind.skewness == pytest.approx(0, abs=0.05)
    assert kind.reasons == ()


def test_correlation_is_that_of_the_filter() -> None:
    # Noise through a Gaussian of w pixels has a correlation of exp(-1 / (4 w^2)) to the next;
    # the sampled filter's, of w = 0.8, is 0.672. Taking off the trend lowers what is left.
    kind = noise_kind([simulated("correlated", (0.8, 0.8))])
    assert kind is not None
    assert 0.5 < kind.correlation < 0.68
    assert kind.reasons == ("is shared by neighbouring pixels",)


@pytest.mark.parametrize(
    ("model", "reason"),
    [("poisson-gaussian", None), ("speckle", "brightness"), ("log-speckle", "symmetric")],
)
def test_noise_of_machines(model: str, reason: str | None) -> None:
    kind = noise_kind([simulated(model)])
    assert kind is not None
    assert reason is None or reason in " ".join(kind.reasons)
    if model == "speckle":
        # Its standard deviation is 40 / 255 of a brightness between 0.2 and 0.8.
        assert kind.change == pytest.approx(4, rel=0.4)


def test_values_that_are_none_and_constant_areas_do_not_count() -> None:
    image = add_gaussian(ramp(), 25, 0)
    spoilt = image.copy()
    spoilt[:60] = 1e6
    spoilt[200:, :100] = np.nan
    whole, rest = noise_kind([image]), noise_kind([spoilt])
    assert whole is not None
    assert rest is not None
    assert rest.reasons == ()
    assert rest.change == pytest.approx(whole.change, abs=0.1)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((64, 64)), np.full((64, 64), np.nan), np.random.default_rng(0).random((20, 20)),
     np.zeros((5, 100)), np.zeros((0, 0))],
)  # fmt: skip
def test_too_little_to_tell(pixels: np.ndarray) -> None:
    assert noise_kind([pixels]) is None
    assert noise_kind([]) is None


@pytest.mark.corpus
@pytest.mark.parametrize("modality", ["xray", "mri", "ct", "ultrasound", "fluorescence"])
def test_white_noise_on_real_images(corpus: Path, modality: str) -> None:
    for path in sorted((corpus / "test" / modality).glob("*.png"))[:5]:
        clean = np.asarray(Image.open(path), dtype=np.float32) / 255
        kind = noise_kind([add_gaussian(clean, 25, 1)])
        assert kind is not None
        assert kind.reasons == (), path.name


@pytest.mark.corpus
@pytest.mark.parametrize("source", ["duke_sdoct", "fmd", "w2s"])
def test_real_noise(corpus: Path, source: str) -> None:
    for path in sorted((corpus / "realnoise" / "test" / source).glob("*_noisy.png"))[:3]:
        kind = noise_kind([np.asarray(Image.open(path).convert("L"))[:448, :448]])
        assert kind is not None
        assert kind.reasons, path.name


def test_suggestion() -> None:
    white, real = NoiseKind(0.0, 1.0, 0.0), NoiseKind(0.5, 3.0, 0.0)
    assert suggest_weights(real, GREY) == (
        "The noise is shared by neighbouring pixels and changes with the brightness: "
        "the weights dran-grey-real were made for that."
    )
    assert "dran-grey remove that better" in suggest_weights(white, REAL)
    assert suggest_weights(NoiseKind(0.0, 1.0, -0.6), GREY).startswith("The noise is not symmetric")
    for kind, chosen in [(white, GREY), (real, REAL), (real, "mine"), (None, GREY)]:
        assert suggest_weights(kind, chosen) == ""
