"""What is done with the clean image: segmentation (U-Net) and detection (Mask R-CNN).

Needs the extra ``analysis``.
"""

from __future__ import annotations

from .detection import Detector, detect
from .detections import Detection, Detections
from .measurements import Measurement, columns, measure, write_csv
from .preparation import Options
from .segmentation import Segmenter, segment
from .segmentations import Segmentation

__all__ = [
    "Detection",
    "Detections",
    "Detector",
    "Measurement",
    "Options",
    "Segmentation",
    "Segmenter",
    "columns",
    "detect",
    "measure",
    "segment",
    "write_csv",
]
