"""Plain state dicts: which network they are of is told from the names of their tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ...errors import FileReadError, WeightsError
from ..card import Card
from ..networks import ARCHITECTURES, build_network
from .imported import CardFields, Imported, below, load_into, write_imported
from .pickled import read_state
from .released import released

if TYPE_CHECKING:
    from torch import Tensor

RELEASED = "inputLayer"
BOXES = "roi_heads.box_predictor.cls_score.weight"
MASKS = "roi_heads.mask_predictor.mask_fcn_logits.weight"
TORCHVISION = "backbone.body.conv1.weight"
VERSIONS = {"roi_heads.box_head.fc6.weight": 1, "roi_heads.box_head.5.weight": 2}
COUNTED = "backbone.body.bn1.num_batches_tracked"
"""What batch normalisation has that is trained, and torchvision's frozen one has not."""
STEM = "encoder.stem.0.weight"
HEAD = "segmentation_head.0.weight"
DECODER = "decoder.blocks.{}.convs.conv_0.conv.weight"
COCO_CLASSES = 91
COCO_EPSILON = 0.0
"""Of torchvision's COCO weights; its tutorials start there."""


def import_state_dict(
    source: str | Path,
    output: str | Path,
    *,
    card: str | Path | None = None,
    epsilon: float = COCO_EPSILON,
    overwrite: bool = False,
    **stated: Unpack[CardFields],
) -> Card:
    """Convert the state dict of a network.

    Parameters
    ----------
    source : str or Path
        A .pt, .pth or .safetensors file with the state dict of our own
        :class:`~napari_dran.network.unet.UNet`, of torchvision's
        ``maskrcnn_resnet50_fpn`` or ``maskrcnn_resnet50_fpn_v2``, or of a released
        DRAN; with a card, of any in :data:`~napari_dran.weights.ARCHITECTURES`. Read
        with ``weights_only=True``, so no code in it is run.
    output : str or Path
        The .safetensors file to write.
    card : str or Path, optional
        A JSON file with fields of :class:`~napari_dran.weights.Card`, at least
        "architecture" and "arguments", for what the names of tensors do not tell.
    epsilon : float
        What torchvision's frozen batch normalisation adds to variances: 0 where
        training began with its COCO weights, 1e-5 where it began with ImageNet's.
    overwrite : bool
        Whether an existing file may be replaced.
    **stated
        Fields of the card, instead of those that the file implies.

    Returns
    -------
    Card
        As it was written.

    Raises
    ------
    WeightsError
        Not a state dict, or of another network, or what is stated does not fit it.
    """
    path = Path(source)
    state = read_state(path)
    if card is not None:
        found, described = _described(state, path, Path(card))
        stated = CardFields(**{**described, **stated})  # type: ignore[typeddict-item]
    else:
        found = _recognised(state, path, epsilon, resized=not stated.get("side"))
    return write_imported(found, output, stated, overwrite=overwrite)


def _recognised(
    state: Mapping[str, Tensor], source: Path, epsilon: float, resized: bool
) -> Imported:
    names = list(state)
    if any(name.removeprefix("module.").startswith(RELEASED) for name in names):
        return released(state, source)
    if any(name.endswith(BOXES) for name in names):
        return _mask_rcnn(below(state, BOXES), source, epsilon, resized)
    if any(name.endswith(STEM) for name in names) and any(name.endswith(HEAD) for name in names):
        return _unet(below(state, HEAD), source)
    raise WeightsError(
        f"The names of the tensors of {source} ({', '.join(names[:3])}, ...) do not tell which "
        "network they are of. Expected a U-Net that 'napari-dran train' made, torchvision's "
        "maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2, or a released DRAN. For a network of "
        "MONAI import the folder of its bundle, or describe it in a file for --card."
    )


def _mask_rcnn(state: dict[str, Tensor], source: Path, epsilon: float, resized: bool) -> Imported:
    version = next((number for name, number in VERSIONS.items() if name in state), None)
    if MASKS not in state:
        raise WeightsError(
            f"{source} holds a network that finds boxes but no masks. Expected torchvision's "
            "maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2."
        )
    if version is None or TORCHVISION not in state:
        raise WeightsError(
            f"{source} holds a Mask R-CNN on another encoder than torchvision's ResNet-50. "
            "Expected maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2; describe one that "
            "'napari-dran train' made in a file for --card."
        )
    classes = len(state[BOXES])
    network = build_network(
        "maskrcnn-resnet50", {"classes": classes, "version": version, "resized": resized}
    )
    notes: tuple[str, ...] = ()
    if COUNTED not in state and version == 1:
        state = _thawed(state, epsilon)
        notes = (
            f"Its frozen batch normalisation was read with epsilon {epsilon:g}, as it is where "
            f"training began with {'COCO' if epsilon == COCO_EPSILON else 'ImageNet'} weights.",
        )
    load_into(network, state, source)
    names: tuple[str, ...] = ()
    if classes == COCO_CLASSES:
        from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

        names = tuple(MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"][1:])
    kind = "maskrcnn_resnet50_fpn" + ("_v2" if version == 2 else "")
    return Imported(
        network,
        "maskrcnn-resnet50",
        description=f"Imported from {source.name}: torchvision's {kind}.",
        classes=names,
        notes=notes,
    )


def _thawed(state: dict[str, Tensor], epsilon: float) -> dict[str, Tensor]:
    """Write frozen batch normalisation as scale and shift, with mean 0 and variance 1.

    Its variances may be too small for half precision, and nothing is added to them.
    """
    folded = dict(state)
    for key in state:
        start, _, last = key.rpartition(".")
        if last != "running_var":
            continue
        mean, variance = (state[f"{start}.running_{word}"].double() for word in ("mean", "var"))
        scale = state[f"{start}.weight"].double() * (variance + epsilon).rsqrt()
        shift = state[f"{start}.bias"].double() - mean * scale
        folded |= {
            f"{start}.weight": scale.float(),
            f"{start}.bias": shift.float(),
            f"{start}.running_mean": mean.float().zero_(),
            f"{start}.running_var": variance.float().fill_(1),
        }
    return folded


def _unet(state: dict[str, Tensor], source: Path) -> Imported:
    decoder, level = [], 0
    while (name := DECODER.format(level)) in state:
        decoder.append(len(state[name]))
        level += 1
    arguments = {
        "channels": state[STEM].shape[1], "classes": len(state[HEAD]), "decoder": decoder,
    }  # fmt: skip
    network = build_network("unet", arguments)
    load_into(network, state, source)
    return Imported(network, "unet", description=f"Imported from {source.name}.")


def _described(
    state: Mapping[str, Tensor], source: Path, card: Path
) -> tuple[Imported, dict[str, Any]]:
    """Make the network that a file describes; return it and what else that says."""
    try:
        values = json.loads(card.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileReadError(f"Could not read the card {card}: {error}.") from error
    except ValueError as error:
        raise WeightsError(f"The card {card} is not JSON: {error}.") from error
    known = {f.name for f in fields(Card)} - {"channels", "task", "sha256"}
    if not isinstance(values, dict) or not {"architecture", "arguments"} <= values.keys():
        raise WeightsError(
            f'The card {card} has no "architecture" and "arguments". Expected an architecture of '
            f"{', '.join(ARCHITECTURES)}, and the arguments of its class."
        )
    if unknown := sorted(values.keys() - known):
        raise WeightsError(
            f"The card {card} has {', '.join(unknown)}. Expected some of {', '.join(sorted(known))}"
            "; the other fields follow from the network."
        )
    architecture = values.pop("architecture")
    network = build_network(architecture, values.pop("arguments"))
    inner: Any = network.network if architecture == "monai-unet" else network
    load_into(inner, state, source)
    network.eval()
    for name in ("classes", "inputs", "sigma_range"):
        if name not in values:
            continue
        if not isinstance(values[name], list):
            raise WeightsError(
                f"The card {card} says {name} {values[name]!r}. Expected a list, in brackets."
            )
        values[name] = tuple(values[name])
    return Imported(network, architecture, description=f"Imported from {source.name}."), values
