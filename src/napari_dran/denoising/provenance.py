"""What was done to an image, for its header and its history."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .. import __version__


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Provenance:
    """How an image was denoised.

    Parameters
    ----------
    weights : str
        Name of the weights.
    sha256 : str
        Of their tensors.
    window : tuple of float or None
        Bounds in the image's unit; None if the image is constant. Where channels
        have windows of their own, the bounds of all together.
    window_name : str
        How the window was chosen.
    axis : str
        Axis that slices were cut across: "z", "y" or "x".
    strength : float
        Share of the noise that was subtracted.
    sigma : float or None
        Estimated standard deviation of the noise before, in the image's unit.
    sigma_255 : float or None
        The same in grey levels of 255 of the window.
    ensemble : int
        Orientations of each slice that were averaged.
    operation, software, version : str
        What did it.
    date : str
        When, ISO 8601 in UTC.
    """

    weights: str
    sha256: str
    window: tuple[float, float] | None
    window_name: str
    axis: str
    strength: float
    sigma: float | None = None
    sigma_255: float | None = None
    ensemble: int = 1
    operation: str = "denoise"
    software: str = "napari-dran"
    version: str = __version__
    date: str = ""

    def __post_init__(self) -> None:
        if not self.date:
            object.__setattr__(self, "date", _now())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON and for ``Volume.history``."""
        values = asdict(self)
        values["window"] = None if self.window is None else list(self.window)
        return values

    def as_text(self) -> str:
        """Return one line, short enough for the 79 characters of NIfTI's descrip."""
        weights = self.weights[:20]
        window = "constant" if self.window is None else "{:.5g}:{:.5g}".format(*self.window)
        return (
            f"{self.software} {self.version} {weights}@{self.sha256[:8]} "
            f"{window} {self.axis} x{self.strength:.3g}"
            + (f" e{self.ensemble}" if self.ensemble > 1 else "")
        )
