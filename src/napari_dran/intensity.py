"""The window: which intensities the network sees as [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .gaps import fill

DEFAULT_WINDOW = "percentile"

AUTOMATIC_WINDOWS = ("percentile", "full")
"""Windows that are read off the image itself."""

CT_PRESETS: dict[str, tuple[float, float]] = {
    "brain": (0.0, 80.0),
    "stroke": (20.0, 60.0),
    "bone": (-450.0, 1050.0),
    "lung": (-1350.0, 150.0),
    "mediastinum": (-125.0, 225.0),
    "abdomen": (-160.0, 240.0),
    "liver": (-45.0, 105.0),
    "angiography": (0.0, 600.0),
}
"""Lower and upper bound in HU, from the levels and widths usual in radiology."""

SEEN = (-0.5, 1.5)
"""Normalised values beyond these are clipped before the network sees them."""

PERCENTILES = (0.1, 99.9)
MARGIN = 0.1
# A lowest value this common, and this far below the others in units of their spread,
# is no measurement.
PADDING_SHARE, PADDING_GAP = 0.005, 0.2
FEWEST_VALUES = 100
SAMPLE_SIZE = 4_000_000
# The noise is float32: a wider window would overflow it.
WIDEST = 1e37


@dataclass(frozen=True)
class Window:
    """A range of intensities, shown to the network as [0, 1].

    Parameters
    ----------
    low, high : float
        Its bounds, in the image's unit.
    name : str
        How it was chosen: "percentile", "full", "contrast-limits", a CT preset
        or "custom".

    Raises
    ------
    InputError
        A bound is not finite, or ``low`` is not below ``high``.
    """

    low: float
    high: float
    name: str = "custom"

    def __post_init__(self) -> None:
        low, high = float(self.low), float(self.high)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                f"The window {low:g}:{high:g} is empty. Its lower bound must be a finite number "
                "below its upper bound, e.g. -160:240."
            )
        if high - low > WIDEST:
            raise InputError(
                f"The window {low:g}:{high:g} is wider than {WIDEST:g}, the widest that can be "
                "worked on. Choose a narrower one; values outside it are left as they are."
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def __str__(self) -> str:
        return f"{self.low:.6g}:{self.high:.6g}"

    @property
    def range(self) -> float:
        """Distance between the bounds, in the image's unit."""
        return self.high - self.low

    def contains(self, image: np.ndarray) -> np.ndarray:
        """Tell for each value whether it lies inside; NaN and inf do not."""
        # Bounds beyond the range of float16 or float32 are infinite there, which is right.
        with np.errstate(over="ignore"):
            inside: np.ndarray = (image >= self.low) & (image <= self.high)
        return inside


def window_names() -> tuple[str, ...]:
    """Name every window that can be chosen by name."""
    return (*AUTOMATIC_WINDOWS, "contrast-limits", *CT_PRESETS)


def choose_window(
    image: np.ndarray,
    window: str | tuple[float, float] | Window = DEFAULT_WINDOW,
    contrast_limits: tuple[float, float] | None = None,
) -> Window | None:
    """Choose the range of intensities that the network shall see.

    Parameters
    ----------
    image : ndarray
        Integers or floats of any shape. NaN and inf are passed over.
    window : str, pair of float, or Window
        - "percentile": from the 0.1 to the 99.9 percentile, widened on each side
          by a tenth of their distance but not beyond the smallest and largest
          value, so that only outliers stay outside; a padding value far below all
          others does not count;
        - "full": from the smallest to the largest value;
        - "contrast-limits": the range that ``contrast_limits`` says;
        - a name in :data:`CT_PRESETS`, in HU;
        - "LOW:HIGH", a pair, or a :class:`Window`.
    contrast_limits : pair of float, optional
        The contrast limits of the layer that shows the image.

    Returns
    -------
    Window or None
        None where the window should be read off the image and the image is
        constant: there is nothing to denoise then.

    Raises
    ------
    InputError
        The image has no finite value; the window is unknown or empty.
    """
    lowest, highest = finite_range(image)
    if isinstance(window, Window):
        return window
    if not isinstance(window, str):
        return _window_of_pair(window, "custom")
    name = window.strip().lower()
    if name == "contrast-limits":
        if contrast_limits is None:
            raise InputError(
                "The window 'contrast-limits' needs the contrast limits of a layer, and there "
                "are none here. Pass contrast_limits, or choose 'percentile' or 'LOW:HIGH'."
            )
        return _window_of_pair(contrast_limits, name)
    if name in CT_PRESETS:
        return Window(*CT_PRESETS[name], name)
    if name in AUTOMATIC_WINDOWS:
        if lowest == highest:
            return None
        if name == "percentile":
            lowest, highest = _robust_range(image, lowest, highest)
        return Window(lowest, highest, name)
    return window_of_text(window, window_names())


def finite_range(image: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest finite value.

    Raises
    ------
    InputError
        There is none.
    """
    low = high = math.nan
    if image.size:
        with np.errstate(invalid="ignore"):
            low, high = float(np.min(image)), float(np.max(image))
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = image[np.isfinite(image)]
    if not finite.size:
        raise InputError(
            "The image has no finite value: all are NaN or infinite. "
            "Check how it was read or computed."
        )
    return float(finite.min()), float(finite.max())


def normalise(image: np.ndarray, window: Window) -> np.ndarray:
    """Bring the window to [0, 1], ready for the network.

    Parameters
    ----------
    image : ndarray
        Integers or floats, (..., height, width), in the image's unit.
    window : Window
        What becomes [0, 1].

    Returns
    -------
    ndarray
        float32, same shape, clipped to :data:`SEEN`, so that outliers cannot
        upset the network. NaN and inf are filled from their neighbourhood.
    """
    # float64: float32 would lose the digits of small windows on large offsets.
    finite = np.isfinite(image)
    with np.errstate(over="ignore"):
        scaled = (np.asarray(image, dtype=np.float64) - window.low) / window.range
    np.clip(scaled, *SEEN, out=scaled)
    if not finite.all():
        scaled = fill(scaled, finite)
    return scaled.astype(np.float32)


def restore(noise: np.ndarray, window: Window) -> np.ndarray:
    """Bring noise from units of the normalised image to the image's unit.

    The offset of the window plays no part: noise is a difference.

    Returns
    -------
    ndarray
        float32, same shape.
    """
    restored: np.ndarray = np.multiply(noise, window.range, dtype=np.float32)
    return restored


def _window_of_pair(pair: Any, name: str) -> Window:
    try:
        low, high = (float(bound) for bound in pair)
    except (TypeError, ValueError):
        raise InputError(f"Expected a window of two numbers (low, high), got {pair!r}.") from None
    return Window(low, high, name)


def window_of_text(text: str, names: Iterable[str]) -> Window:
    """Read a window's bounds, LOW:HIGH.

    Parameters
    ----------
    text : str
        In the image's unit.
    names : iterable of str
        What else could have been written, for the error.

    Raises
    ------
    InputError
        It is no window, or an empty one.
    """
    try:
        low, high = (float(bound) for bound in text.split(":"))
    except ValueError:
        raise InputError(
            f"There is no window {text!r}. Choose one of {', '.join(names)}, "
            "or bounds as LOW:HIGH, e.g. -160:240."
        ) from None
    return Window(low, high)


def _robust_range(image: np.ndarray, lowest: float, highest: float) -> tuple[float, float]:
    step = image.size // SAMPLE_SIZE + 1
    # A step that shares a factor with the rows would see some columns only.
    while step > 1 and math.gcd(step, image.shape[-1]) > 1:
        step += 1
    values = image.ravel(order="K")[::step].astype(np.float64)
    values = _without_padding(values[np.isfinite(values)])
    low, high = np.percentile(values, PERCENTILES).tolist()
    if low == high:
        return lowest, highest
    margin = MARGIN * (high - low)
    return max(float(values.min()), low - margin), min(highest, high + margin)


def _without_padding(values: np.ndarray) -> np.ndarray:
    """Leave out what scanners fill the corners with, such as -3024 HU: one value far below."""
    padding = values == values.min()
    rest = values[~padding]
    if rest.size < FEWEST_VALUES or padding.mean() < PADDING_SHARE:
        return values
    spread = float(np.percentile(rest, PERCENTILES[1]) - rest.min())
    return rest if rest.min() - values.min() > PADDING_GAP * spread > 0 else values
