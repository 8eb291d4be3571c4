"""What tells the Segment widget from the Detect widget: words, and which network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..analysis import Detections, Detector, Segmentation, Segmenter

    Found = Segmentation | Detections


@dataclass(frozen=True)
class Task:
    """A task for a network.

    Parameters
    ----------
    name : str
        Of the function, the command and the weights' task: "segment" or "detect".
    button : str
        What the button says.
    doing : str
        What it is doing, as the beginning of a sentence.
    done : str
        What the new layers are called after the image: "segmented".
    threshold : str
        Name of the argument.
    threshold_label, threshold_tooltip : str
        How the widget calls it.
    flat_size : bool
        Whether the minimum size is an area in volumes as well.
    """

    name: str
    button: str
    doing: str
    done: str
    threshold: str
    threshold_label: str
    threshold_tooltip: str
    flat_size: bool = False

    def function(self) -> Callable[..., Any]:
        """Return the library's function."""
        from .. import analysis

        found: Callable[..., Any] = getattr(analysis, self.name)
        return found

    def network(self, weights: str, device: str) -> Segmenter | Detector:
        """Make what runs the network."""
        from ..analysis import Detector, Segmenter

        return (Segmenter if self.name == "segment" else Detector)(weights, device=device)


SEGMENT = Task(
    name="segment",
    button="Segment",
    doing="Segmenting",
    done="segmented",
    threshold="threshold",
    threshold_label="Threshold",
    threshold_tooltip="Least probability of a pixel that belongs to an object.",
)
DETECT = Task(
    name="detect",
    button="Detect",
    doing="Detecting",
    done="detected",
    threshold="score_threshold",
    threshold_label="Min. score",
    threshold_tooltip="Least score of an object: how sure the network is of it.",
    flat_size=True,
)
