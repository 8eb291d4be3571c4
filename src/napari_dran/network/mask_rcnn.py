"""The Mask R-CNN that detects: torchvision's, on a small encoder with a feature pyramid.

He et al., "Mask R-CNN", ICCV 2017; Lin et al., "Feature Pyramid Networks for Object
Detection", CVPR 2017.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN as TorchvisionMaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from .efficientnet import EfficientNetLite0, standardised

LEVELS = ("0", "1", "2", "3")
RATIOS = (0.5, 1.0, 2.0)
BOX_SIDE, MASK_SIDE = 7, 14
MASK_LAYERS = 4
CANDIDATES = {"training": 1000, "testing": 1000}
"""Proposals a level before those that overlap are dropped."""
PROPOSALS = {"training": 500, "testing": 500}
"""Proposals that are looked at."""
SAMPLED = 96
"""Proposals an image that the heads learn from."""


class Pyramid(nn.Module):
    """Features at strides 4, 8, 16 and 32, all of ``width`` channels, and one coarser."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0(channels)
        self.pyramid = FeaturePyramidNetwork(
            list(EfficientNetLite0.CHANNELS[1:]), width, extra_blocks=LastLevelMaxPool()
        )
        self.out_channels = width

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map (N, channels, H, W) to the levels."""
        features = self.encoder(x)[1:]
        levels: dict[str, Tensor] = self.pyramid(OrderedDict(zip(LEVELS, features, strict=True)))
        return levels


class Unresized(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Prepares images without resizing; torchvision's ``_skip_resize`` does so in training only."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__(0, 0, list(mean), list(deviation))

    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Leave an image as large as it is."""
        return image, target


class MaskRCNN(TorchvisionMaskRCNN):  # type: ignore[misc]
    """Finds objects: box, mask, class and score of each.

    Parameters
    ----------
    channels : int
        Channels of the images, which come in [0, 1] and are not resized.
    classes : int
        Classes, the background among them.
    width : int
        Channels of the pyramid and of the mask head.
    head : int
        Width of the box head.
    smallest_anchor : int
        Side of the smallest reference box in pixels; each level's is twice the one
        before.
    most : int
        At most this many objects an image.
    standardise : bool
        See :class:`~napari_dran.network.unet.UNet`.
    """

    def __init__(
        self,
        channels: int = 3,
        classes: int = 2,
        width: int = 128,
        head: int = 512,
        smallest_anchor: int = 16,
        most: int = 100,
        *,
        standardise: bool = False,
    ) -> None:
        sizes = tuple((smallest_anchor * 2**level,) for level in range(len(LEVELS) + 1))
        super().__init__(
            Pyramid(channels, width),
            rpn_anchor_generator=AnchorGenerator(sizes, (RATIOS,) * len(sizes)),
            rpn_pre_nms_top_n_train=CANDIDATES["training"],
            rpn_pre_nms_top_n_test=CANDIDATES["testing"],
            rpn_post_nms_top_n_train=PROPOSALS["training"],
            rpn_post_nms_top_n_test=PROPOSALS["testing"],
            box_roi_pool=MultiScaleRoIAlign(LEVELS, BOX_SIDE, 2),
            box_head=TwoMLPHead(width * BOX_SIDE**2, head),
            box_predictor=FastRCNNPredictor(head, classes),
            box_batch_size_per_image=SAMPLED,
            box_detections_per_img=most,
            mask_roi_pool=MultiScaleRoIAlign(LEVELS, MASK_SIDE, 2),
            mask_head=MaskRCNNHeads(width, (width,) * MASK_LAYERS, 1),
            mask_predictor=MaskRCNNPredictor(width, width, classes),
        )
        shift, scale = (0.0, 1.0) if standardise else (0.5, 0.5)
        self.transform: GeneralizedRCNNTransform = Unresized([shift] * channels, [scale] * channels)
        self.channels, self.standardise = channels, standardise
        self.arguments: dict[str, Any] = {
            "channels": channels, "classes": classes, "width": width, "head": head,
            "smallest_anchor": smallest_anchor, "most": most,
            "standardise": standardise,
        }  # fmt: skip

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        """Return losses while training, else what is found in each image (channels, H, W)."""
        if self.standardise:
            # Before images are padded to a common size, which would count as dark.
            images = [standardised(image[None])[0] for image in images]
        return super().forward(images, targets)

    def train(self, mode: bool = True) -> MaskRCNN:
        """Switch to training; the encoder's batch statistics stay, batches are too small."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self
