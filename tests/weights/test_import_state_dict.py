"""State dicts of others: the network is told from the names of its tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.detection import (
    fasterrcnn_mobilenet_v3_large_fpn,
    maskrcnn_resnet50_fpn,
    maskrcnn_resnet50_fpn_v2,
)
from torchvision.ops.misc import FrozenBatchNorm2d

from napari_dran.errors import FileReadError, OutputExistsError, WeightsError
from napari_dran.network.dran import DRAN
from napari_dran.network.unet import UNet
from napari_dran.weights import Card, import_state_dict, import_weights, load_weights, save_weights

from .conftest import CHANNELS, STRIDES, agree, trained

NO_WEIGHTS: dict[str, Any] = {"weights": None, "weights_backbone": None}
SIDE = 64


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.safetensors"


@pytest.fixture
def colour() -> Tensor:
    return torch.rand(3, SIDE, SIDE)


def same_objects(found: nn.Module, wanted: nn.Module, image: Tensor) -> None:
    """Check that two Mask R-CNNs see the same features and propose alike.

    Random networks find objects that hardly differ in score, so that half precision
    reorders them; what comes before is smooth.
    """
    with torch.inference_mode():
        prepared, _ = wanted.transform([image])
        mine, _ = found.transform([image])
        torch.testing.assert_close(mine.tensors, prepared.tensors)
        levels = (network.backbone(prepared.tensors) for network in (found, wanted))
        for own, theirs in zip(*(level.values() for level in levels), strict=True):
            agree(own, theirs)
        width = wanted.backbone.out_channels
        regions = torch.rand(4, width, 7, 7)
        for own, theirs in zip(*(heads(n, regions) for n in (found, wanted)), strict=True):
            agree(own, theirs)
        found.rpn._post_nms_top_n["testing"] = 10  # as many as tell that all parts fit
        assert found([image])[0].keys() == {"boxes", "labels", "scores", "masks"}


def heads(network: Any, regions: Tensor) -> tuple[Tensor, ...]:
    """Return classes, boxes and masks that the heads make of regions."""
    inside = network.roi_heads
    classes, boxes = inside.box_predictor(inside.box_head(regions))
    return classes, boxes, inside.mask_predictor(inside.mask_head(regions))


@pytest.mark.slow
def test_mask_rcnn_of_torchvision(tmp_path: Path, output: Path, colour: Tensor) -> None:
    original = maskrcnn_resnet50_fpn(**NO_WEIGHTS, num_classes=2, _skip_resize=True).eval()
    torch.save({"model": original.state_dict(), "epoch": 3}, tmp_path / "model.pth")
    card = import_weights(tmp_path / "model.pth", output, classes=("lesion",), side=SIDE)
    assert (card.task, card.architecture) == ("detect", "maskrcnn-resnet50")
    assert (card.classes, card.channels, card.side) == (("lesion",), 3, SIDE)
    same_objects(load_weights(output)[0], original, colour)


@pytest.mark.slow
def test_second_version_of_mask_rcnn(tmp_path: Path, output: Path, colour: Tensor) -> None:
    original = maskrcnn_resnet50_fpn_v2(**NO_WEIGHTS, num_classes=3).eval()
    torch.save(original.state_dict(), tmp_path / "model.pt")
    card = import_state_dict(tmp_path / "model.pt", output)
    assert card.arguments == {"classes": 3, "version": 2, "resized": True}
    assert card.classes == ("class 1", "class 2")
    network: Any = load_weights(output)[0]
    assert network.transform.min_size == original.transform.min_size
    network.transform._skip_resize = original.transform._skip_resize = True  # or it takes minutes
    same_objects(network, original, colour)


@pytest.mark.slow
def test_frozen_normalisation(tmp_path: Path, output: Path, colour: Tensor) -> None:
    """As torchvision's pretrained networks have it: variances below half precision, too."""
    original = maskrcnn_resnet50_fpn(**NO_WEIGHTS, num_classes=91, _skip_resize=True).eval()
    state = {k: v for k, v in original.state_dict().items() if "num_batches" not in k}
    state["backbone.body.bn1.running_var"][:8] = 1e-10
    state["backbone.body.bn1.weight"][:8] = 1e-5
    state["backbone.body.bn1.running_mean"][:8] = 1e-6
    original.load_state_dict(state, strict=False)
    for module in list(original.backbone.body.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                frozen = FrozenBatchNorm2d(child.num_features, eps=0.0)
                frozen.load_state_dict(child.state_dict())
                setattr(module, name, frozen)
    torch.save(original.state_dict(), tmp_path / "model.pt")
    card = import_weights(tmp_path / "model.pt", output, side=SIDE)
    assert (len(card.classes), card.classes[0]) == (90, "person")
    assert "epsilon 0" in card.training["notes"][0]
    same_objects(load_weights(output)[0], original, colour)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_own_unet(suffix: str, tmp_path: Path, output: Path, image: Tensor) -> None:
    original = UNet(1, 3, (16, 12, 8, 8, 4)).eval()
    state = {f"module.{key}": value for key, value in original.state_dict().items()}
    path = tmp_path / f"theirs{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": state, "optimizer": {}}, path)
    else:
        save_file(state, path)
    card = import_weights(path, output, classes=("nucleus", "border"), border=True, name="cells")
    assert (card.name, card.border, card.arguments) == ("cells", True, original.arguments)
    with torch.inference_mode():
        agree(load_weights(output)[0](image), original(image))


def test_any_network_with_a_card(tmp_path: Path, output: Path, image: Tensor) -> None:
    original = trained(channels=2)
    save_file(original.state_dict(), tmp_path / "theirs.safetensors")
    described = {
        "architecture": "monai-unet",
        "arguments": {
            "network": "UNet",
            "arguments": {
                "spatial_dims": 2, "in_channels": 2, "out_channels": 3, "channels": CHANNELS,
                "strides": STRIDES, "num_res_units": 1,
            },
            "steps": [{"kind": "standardise", "nonzero": False, "by_channel": True}],
        },
        "classes": ["tumour", "oedema"],
        "inputs": ["T1", "T2"],
        "licence": "CC0-1.0",
    }  # fmt: skip
    (tmp_path / "card.json").write_text(json.dumps(described))
    card = import_weights(
        tmp_path / "theirs.safetensors", output, card=tmp_path / "card.json", copied=1
    )
    assert (card.classes, card.inputs) == (("tumour", "oedema"), ("T1", "T2"))
    assert (card.copied, card.licence) == (1, "CC0-1.0")
    images = torch.cat([image, image.square()], dim=1)
    mean, deviation = images.mean((2, 3), keepdim=True), images.std((2, 3), correction=0)
    with torch.inference_mode():
        wanted = original((images - mean) / deviation[..., None, None])
        agree(load_weights(output)[0](images), wanted)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{", WeightsError, "not JSON"),
        ("{}", WeightsError, 'no "architecture"'),
        ('{"architecture": "unet", "arguments": {}, "colour": 1}', WeightsError, "has colour"),
        ('{"architecture": "vit", "arguments": {}}', WeightsError, "Unknown architecture"),
        ('{"architecture": "unet", "arguments": {"depth": 3}}', WeightsError, "does not have"),
        ('{"architecture": "unet", "arguments": {}}', WeightsError, "other shapes"),
        (
            '{"architecture": "unet", "arguments": {"classes": 3}, "classes": "a"}',
            WeightsError,
            "Expected a list",
        ),
        (
            '{"architecture": "monai-unet", "arguments": {"network": "UNet", "arguments": '
            '{"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], '
            '"strides": [2]}, "steps": [{"kind": "blur"}]}}',
            WeightsError,
            "intensity steps",
        ),
        (None, FileReadError, "Could not read"),
    ],
)
def test_cards_that_do_not_fit(
    text: str | None, error: type[Exception], words: str, tmp_path: Path, output: Path
) -> None:
    torch.save(UNet(3, 3).state_dict(), tmp_path / "theirs.pt")
    card = tmp_path / "card.json"
    if text is not None:
        card.write_text(text)
    with pytest.raises(error, match=words):
        import_weights(tmp_path / "theirs.pt", output, card=card)
    assert not output.exists()


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"classes": ("a",)}, "3 classes apart, the background among them, and got 1"),
        ({"inputs": ("T1", "T2")}, "takes 3 channels and got 2"),
        ({"copied": 1}, "no input number 1"),
        ({"side": -1}, "Expected a side"),
    ],
)
def test_what_is_stated_has_to_fit(
    stated: dict[str, Any], words: str, tmp_path: Path, output: Path
) -> None:
    torch.save(UNet(3, 3).state_dict(), tmp_path / "theirs.pt")
    with pytest.raises(WeightsError, match=words):
        import_weights(tmp_path / "theirs.pt", output, **stated)
    assert not output.exists()


def test_border_alone_is_refused(tmp_path: Path, output: Path) -> None:
    torch.save(UNet(3, 2).state_dict(), tmp_path / "theirs.pt")
    with pytest.raises(WeightsError, match="border of objects is the last class"):
        import_weights(tmp_path / "theirs.pt", output, border=True)


def test_existing_file_is_kept_unless_told(tmp_path: Path, output: Path) -> None:
    torch.save(UNet(3, 2).state_dict(), tmp_path / "theirs.pt")
    output.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        import_weights(tmp_path / "theirs.pt", output)
    assert output.read_bytes() == b"precious"
    import_weights(tmp_path / "theirs.pt", output, overwrite=True)
    assert load_weights(output)[1].classes == ("object",)


def test_other_networks_are_refused(tmp_path: Path, output: Path) -> None:
    theirs = tmp_path / "theirs.pt"
    torch.save(trained().state_dict(), theirs)
    with pytest.raises(WeightsError, match="import the folder of its bundle"):
        import_weights(theirs, output)
    faster = fasterrcnn_mobilenet_v3_large_fpn(**NO_WEIGHTS, num_classes=2).state_dict()
    torch.save(faster, theirs)
    with pytest.raises(WeightsError, match="no masks"):
        import_weights(theirs, output)
    key = "roi_heads.mask_predictor.mask_fcn_logits.weight"
    torch.save({**faster, key: torch.zeros(2, 8, 1, 1)}, theirs)
    with pytest.raises(WeightsError, match="another encoder"):
        import_weights(theirs, output)
    state = UNet(3, 2).state_dict()
    torch.save({k: v for k, v in state.items() if "stem.1" not in k}, theirs)
    with pytest.raises(WeightsError, match=r"it lacks encoder\.stem\.1\.weight.* and 1 more"):
        import_weights(theirs, output)


def test_weights_with_a_card_need_no_import(tmp_path: Path, output: Path) -> None:
    network = DRAN(features=8, blocks=1, layers=2)
    save_weights(tmp_path / "own.safetensors", network, Card("own", "dran", network.arguments, 1))
    with pytest.raises(WeightsError, match="need not be imported"):
        import_weights(tmp_path / "own.safetensors", output)
