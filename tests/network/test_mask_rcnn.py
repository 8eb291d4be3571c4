"""The Mask R-CNN: boxes and masks at the image's size, losses that can be trained on."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_dran.network.mask_rcnn import MaskRCNN, Pyramid


def small(**arguments: int) -> MaskRCNN:
    torch.manual_seed(0)
    return MaskRCNN(**{"width": 8, "head": 16, **arguments})


@torch.no_grad()
def test_finds_at_the_size_of_each_image() -> None:
    network = small(most=5).eval()
    sizes = [(64, 64), (61, 83), (33, 40)]
    for (height, width), found in zip(
        sizes, network([torch.rand(3, *size) for size in sizes]), strict=True
    ):
        count = len(found["scores"])
        assert 0 < count <= 5
        assert found["masks"].shape == (count, 1, height, width)
        assert found["boxes"].shape == (count, 4)
        assert found["boxes"].min() >= 0
        assert (found["boxes"].amax(0) <= torch.tensor([width, height] * 2)).all()
        assert set(found["labels"].tolist()) == {1}


def test_parameters_and_arguments() -> None:
    network = MaskRCNN()
    assert sum(p.numel() for p in network.parameters()) == 7_898_523
    # Two bytes each, and buffers: well under the 40 MB that weights may have.
    assert sum(2 * v.numel() for v in network.state_dict().values()) < 17e6
    arguments = {"channels": 1, "classes": 3, "width": 8, "head": 16}
    arguments |= {"smallest_anchor": 8, "most": 7, "standardise": True}
    other = MaskRCNN(**arguments)
    assert other.arguments == arguments
    MaskRCNN(**other.arguments).load_state_dict(other.state_dict())


def test_anchors_double_from_level_to_level() -> None:
    sizes = small(smallest_anchor=8).rpn.anchor_generator.sizes
    assert sizes == ((8,), (16,), (32,), (64,), (128,))


@torch.no_grad()
def test_pyramid_has_strides_4_to_64() -> None:
    levels = Pyramid(3, 8).eval()(torch.rand(1, 3, 70, 130))
    assert [tuple(level.shape) for level in levels.values()] == [
        (1, 8, 18, 33), (1, 8, 9, 17), (1, 8, 5, 9), (1, 8, 3, 5), (1, 8, 2, 3),
    ]  # fmt: skip


@torch.no_grad()
def test_standardised_images_have_neither_window_nor_brightness() -> None:
    network = small(standardise=True, most=5).eval()
    image = torch.rand(3, 50, 70)
    (expected,), (found,) = network([image]), network([image * 0.3 + 0.5])
    torch.testing.assert_close(found["boxes"], expected["boxes"], rtol=1e-2, atol=0.1)
    torch.testing.assert_close(found["scores"], expected["scores"], rtol=1e-3, atol=1e-4)


def test_losses_with_and_without_objects() -> None:
    network = small().train()
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    mask[0, 10:30, 20:50] = 1
    some = {
        "boxes": torch.tensor([[20.0, 10, 50, 30]]), "masks": mask, "labels": torch.tensor([1]),
    }  # fmt: skip
    none = {"boxes": torch.zeros(0, 4), "masks": mask[:0], "labels": some["labels"][:0]}
    losses = network([torch.rand(3, 64, 64)] * 2, [some, none])
    total = torch.stack(list(losses.values())).sum()
    assert total.isfinite()
    total.backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None]
    assert unused == []


@pytest.mark.parametrize("mode", [True, False])
def test_batch_statistics_of_the_encoder_stay(mode: bool) -> None:
    network = small().train(mode)
    assert network.training is mode
    norms = [m for m in network.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


@pytest.mark.parametrize("training", [False, True])
def test_images_are_not_resized(training: bool) -> None:
    network = MaskRCNN(width=8, head=8).train(training)
    images, _ = network.transform([torch.rand(3, 64, 96)])
    assert images.tensors.shape == (1, 3, 64, 96)
