"""The recipe: everything that decides what training does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..errors import InputError, MissingPackageError
from ..intensity import AUTOMATIC_WINDOWS, CT_PRESETS, window_of_text
from ..noise import GREY_LEVELS
from ..slices import slice_axis

SCRATCH = "scratch"
RATE_FROM_SCRATCH = 1e-3
RATE_FROM_WEIGHTS = 1e-4
LARGEST_SEED = 2**32

NOISE_NAMES = (
    "gaussian", "released", "rician", "poisson-gaussian", "photomultiplier", "speckle",
    "log-speckle", "correlated",
)  # fmt: skip

WITH_WIDTH = ("correlated", "poisson-gaussian", "photomultiplier", "speckle", "log-speckle")
"""Models whose noise can be correlated: its mean is zero, so a filter only spreads it."""

LARGEST_WIDTH = 4.0
"""Widest correlation of noise, in pixels: the filter must stay small beside a crop."""


def check_range(name: str, pair: tuple[float, float], lowest: float, highest: float) -> None:
    """Raise InputError unless ``pair`` is low, then high, within the limits."""
    low, high = pair
    if not lowest <= low <= high <= highest:
        raise InputError(
            f"Expected a range of {name} within {lowest:g} and {highest:g}, low then high, "
            f"got {low:g} to {high:g}."
        )


@dataclass(frozen=True)
class Noise:
    """One model of a mixture.

    Parameters
    ----------
    model : str
        One of :data:`NOISE_NAMES`; what they are stands in ``noise_models.py``.
    sigma : tuple of float
        Range of its strength in grey levels of 255; drawn uniformly for each image.
    weight : float
        Its share of a mixture, relative to those of the others.
    width : tuple of float, optional
        For the models in :data:`WITH_WIDTH`: range of the standard deviation, in
        pixels, of a filter that correlates their noise.

    Raises
    ------
    InputError
        Unknown model, or a range that is none.
    """

    model: str = "gaussian"
    sigma: tuple[float, float] = (0.0, 50.0)
    weight: float = 1.0
    width: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.model not in NOISE_NAMES:
            raise InputError(
                f"There is no noise model {self.model!r}. Expected one of "
                f"{', '.join(NOISE_NAMES)}; several make a mixture."
            )
        check_range("sigma", self.sigma, 0.0, GREY_LEVELS)
        if self.width is not None:
            if self.model not in WITH_WIDTH:
                raise InputError(
                    f"The noise model {self.model!r} has no width, only these do: "
                    f"{', '.join(WITH_WIDTH)}. Remove it."
                )
            check_range("width", self.width, 0.05, LARGEST_WIDTH)
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InputError(f"Expected a weight above 0 for {self.model!r}, got {self.weight}.")


@dataclass(frozen=True)
class Recipe:
    """How to train. What a shipped weights file was made with is a YAML file of these keys.

    Parameters
    ----------
    weights : str
        What to start from: "auto" (the shipped weights for the images' kind), a
        shipped name, a .safetensors file, a checkpoint, or "scratch".
    architecture : str
        "dran", "dncnn" or "residual-mid".
    network : mapping
        Arguments of the network other than ``channels``.
    channels : {"auto", 1, 3}
        Channels of the network; "auto" by the images.
    window : str
        Intensities that become [0, 1]: "auto" takes 0 to 255 for 8-bit images and
        "percentile" for others; or any window that ``denoise`` knows.
    axis : int or str
        Axis that volumes are cut across.
    slices : int
        At most this many slices a volume, spread evenly; 0 for all.
    resize : int
        Bring the shorter side of each image to this many pixels first; 0 to leave
        it. (The paper trains on images of 128 x 128 pixels, resized.)
    other_kind : {"ask", "use", "skip"}
        What becomes of colour images for one channel, and of grey ones for three:
        an error that asks; used for a small share of crops, colour as a random
        mix of its channels; or left out.
    validation_share : float
        Share of the patients (groups) kept for validation, where no folder is given.
    split_by : {"auto", "manifest", "folder", "file"}
        What tells patients apart: the column ``patient`` or ``group`` of
        ``manifest.csv``, the folder a file is in (of BIDS the subject's), or the file.
        "auto" takes the first that is there of manifest, DICOM's PatientID, folders
        that look like patients', and file.
    noise : tuple of Noise
        Noise models, drawn by weight for each crop.
    batch, crop : int
        Crops a step, over all processes, and their side in pixels.
    coarse : float
        Share of crops averaged down by 2 or 3: scans with structure as fine as a pixel.
    windows : float
        Share of crops with another contrast and brightness, some inverted.
    flat : float
        Share of crops replaced by a plane without structure, so that the network
        learns to invent none.
    spots : float
        Share of crops with a few small discs planted, as small as lesions can be,
        so that the network learns not to take them for noise.
    lines : float
        The same with thin lines, as vessels, septa and fibres are.
    clipped : float
        Share of crops, brightened up to 2.5 times, whose noisy values end at black
        and at a white of 0.6 to 1, as those of detectors and files do: where a scan
        is saturated, there is no noise.
    loss : {"l1", "l2", "charbonnier"}
        On the residual; L1 in the paper.
    optimizer : {"adam", "muon"}
        Adam as in the paper, or :class:`~napari_dran.training.muon.Muon`, which
        learns more in as many steps.
    learning_rate : float, optional
        By default 1e-3 from scratch and 1e-4 from weights.
    betas : tuple of float
        Of Adam; (0.9, 0.99) in the paper.
    schedule : {"hold", "cosine", "constant"}
        The learning rate is held and then falls to zero by half a cosine over the
        last ``cooldown`` of the run; falls so over all of it; or stays.
    warmup : int
        Steps over which it rises from zero.
    cooldown : float
        See ``schedule``.
    clip : float
        Largest norm of the gradient; 0 for no limit.
    steps : int
        Optimiser steps.
    minutes : float
        Also stop, and let the schedules end, after this many minutes; 0 for no limit.
    start_temperature : float
        Temperature of DRAN's kernel attention at the start. From weights it starts
        where theirs ended.
    annealing : float
        Share of the run over which it falls to 1.
    averaging : float
        Decay of the running average of weights and batch statistics, which is what
        is validated and kept; 0 for none.
    precision : {"auto", "32", "bf16", "fp16"}
        Of the network's passes; weights and their updates are always float32.
    convolution : {"auto", "grouped", "dense"}
        How DRAN's dynamic convolutions are computed; the sum is the same. "auto" is
        "grouped", on CUDA the form that a few timed steps show to be faster.
    validate_every : int
        Steps between validations, each of which also saves the checkpoint.
    validation_sigmas : tuple of float
        Noise levels to validate at, in grey levels of 255.
    validation_images, validation_side : int
        Images a folder to validate on, and the side of their centre crops in pixels.
    seed : int
        Of every random choice.

    Raises
    ------
    InputError
        A value that cannot be.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    weights: str = "auto"
    architecture: str = "dran"
    network: Mapping[str, Any] = field(default_factory=dict)
    channels: Literal["auto", 1, 3] = "auto"

    window: str = "auto"
    axis: int | str = 0
    slices: int = 100
    resize: int = 0
    other_kind: Literal["ask", "use", "skip"] = "ask"
    validation_share: float = 0.1
    split_by: Literal["auto", "manifest", "folder", "file"] = "auto"

    noise: tuple[Noise, ...] = (Noise(),)
    batch: int = 8
    crop: int = 64
    coarse: float = 0.3
    windows: float = 0.25
    flat: float = 0.0
    spots: float = 0.0
    lines: float = 0.0
    clipped: float = 0.0

    loss: Literal["l1", "l2", "charbonnier"] = "l1"
    optimizer: Literal["adam", "muon"] = "adam"
    learning_rate: float | None = None
    betas: tuple[float, float] = (0.9, 0.99)
    schedule: Literal["hold", "cosine", "constant"] = "hold"
    warmup: int = 100
    cooldown: float = 0.4
    clip: float = 1.0
    steps: int = 2000
    minutes: float = 0.0
    start_temperature: float = 30.0
    annealing: float = 0.15
    averaging: float = 0.999
    precision: Literal["auto", "32", "bf16", "fp16"] = "auto"
    convolution: Literal["auto", "grouped", "dense"] = "auto"

    validate_every: int = 200
    validation_sigmas: tuple[float, ...] = (10.0, 25.0, 50.0)
    validation_images: int = 3
    validation_side: int = 160
    seed: int = 0

    def __post_init__(self) -> None:
        at_least = {
            "batch": 1, "crop": 16, "steps": 1, "validate_every": 1, "validation_images": 1,
            "validation_side": 16, "start_temperature": 1, "warmup": 0, "slices": 0, "resize": 0,
            "clip": 0, "minutes": 0, "seed": 0,
        }  # fmt: skip
        for name, lowest in at_least.items():
            self._check(name, lowest, LARGEST_SEED)
        shares = ("coarse", "windows", "flat", "spots", "lines", "clipped")
        for name in (*shares, "cooldown", "annealing"):
            self._check(name, 0, 1)
        for name in ("validation_share", "averaging"):
            self._check(name, 0, 0.999999)
        if not self.noise:
            raise InputError("Expected at least one noise model, got none.")
        windows = ("auto", *AUTOMATIC_WINDOWS, *CT_PRESETS)
        if self.window.strip().lower() not in windows:
            window_of_text(self.window, windows)
        slice_axis("zyx", self.axis)
        levels = self.validation_sigmas
        if not levels or not all(0 <= level < math.inf for level in levels):
            raise InputError(
                "Expected noise levels of 0 or more grey levels of 255 to validate at, got "
                f"{list(levels)}."
            )
        rate = self.learning_rate
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise InputError(f"Expected a learning rate above 0, got {rate}.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(
                f"Expected betas of 0 or more and below 1, got {list(self.betas)}. Adam's usual "
                "ones are [0.9, 0.99]."
            )
        if self.resize and self.resize < self.crop:
            raise InputError(
                f"Images resized to {self.resize} pixels are smaller than the crop of "
                f"{self.crop}. Lower the crop or raise resize."
            )

    def _check(self, name: str, lowest: float, highest: float) -> None:
        value = getattr(self, name)
        if not lowest <= value <= highest:
            limit = f" to {highest:g}" if highest < LARGEST_SEED else " or more"
            raise InputError(f"Expected {name} of {lowest:g}{limit}, got {value}.")

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for cards and checkpoints."""
        return asdict(self)


def sigma_range(noises: Sequence[Noise]) -> tuple[float, float]:
    """Return the smallest and the largest sigma of a mixture, in grey levels of 255."""
    return min(n.sigma[0] for n in noises), max(n.sigma[1] for n in noises)


def missing_package(name: str, extras: str = "train") -> MissingPackageError:
    """Return the error for a package that only training needs, or training with other extras."""
    return MissingPackageError(
        f"Training needs the package {name}, which is not installed. "
        f"Install it with: pip install 'napari-dran[{extras}]'."
    )
