"""torchvision's own Mask R-CNN on ResNet-50, for weights that users bring.

He et al., "Mask R-CNN", ICCV 2017; Li et al., "Benchmarking Detection Transfer Learning
with Vision Transformers", 2021 (the second version).
"""

from __future__ import annotations

from typing import Any

from torchvision.models.detection import maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

BUILDERS = {1: maskrcnn_resnet50_fpn, 2: maskrcnn_resnet50_fpn_v2}
CHANNELS = 3


class MaskRCNNResNet50(GeneralizedRCNN):  # type: ignore[misc]
    """Finds objects: box, mask, class and score of each.

    Parameters
    ----------
    classes : int
        Classes, the background among them.
    version : {1, 2}
        ``maskrcnn_resnet50_fpn`` or ``maskrcnn_resnet50_fpn_v2``.
    resized : bool
        Whether images are brought to torchvision's size inside (shorter side 800,
        longer at most 1333 pixels), or taken as they come.
    """

    def __init__(self, classes: int, version: int = 1, resized: bool = True) -> None:
        built = BUILDERS[version](
            weights=None, weights_backbone=None, num_classes=classes, _skip_resize=not resized
        )
        super().__init__(built.backbone, built.rpn, built.roi_heads, built.transform)
        self.channels = CHANNELS
        self.arguments: dict[str, Any] = {
            "classes": classes, "version": version, "resized": resized,
        }  # fmt: skip
