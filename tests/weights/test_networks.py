"""Networks by name: what is built, what is missing, and for which task."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from napari_dran.errors import MissingPackageError, WeightsError
from napari_dran.weights import ARCHITECTURES, Card, build_network, networks, require_task

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"channels": 3, "classes": 3, "decoder": [8, 8, 8, 8, 8]},
    "mask-rcnn": {"channels": 3, "classes": 2, "width": 8, "head": 16},
}


@pytest.mark.parametrize("name", SMALL)
def test_arguments_come_back(name: str) -> None:
    network = build_network(name, SMALL[name])
    assert type(network).__name__ == ARCHITECTURES[name].name
    arguments: Any = network.arguments
    assert SMALL[name].items() <= arguments.items()
    again = build_network(name, arguments)
    again.load_state_dict(network.state_dict())


@pytest.mark.parametrize("name", SMALL)
def test_arguments_of_a_later_version(name: str) -> None:
    with pytest.raises(WeightsError, match=rf"Arguments that {name} does not have.*later version"):
        build_network(name, {**SMALL[name], "depth": 7})


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(WeightsError, match=r"'u-net'. Expected one of dran, .*unet, .*mask-rcnn"):
        build_network("u-net", {})


@pytest.mark.parametrize(
    ("name", "module", "package", "message"),
    [
        ("unet", "unet", "monai.networks.nets.flexible_unet", "Segmentation needs the package"),
        ("mask-rcnn", "mask_rcnn", "torchvision.models.detection", "Detection needs torchvision"),
    ],
)  # fmt: skip
def test_missing_package(
    name: str, module: str, package: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"napari_dran.network.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"{message}.*napari-dran\[analysis\]"):
        build_network(name, SMALL[name])


def test_operators_that_cannot_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, package: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(networks, "import_module", fail)
    with pytest.raises(MissingPackageError, match=r"nms does not exist.*--upgrade torch torchvis"):
        build_network("mask-rcnn", {})


def test_require_task() -> None:
    card = Card("unet-brain-tumour", "unet", {}, 3, task="segment")
    assert require_task(card, "segment") is card
    for task, wanted in (("denoise", "denoises"), ("detect", "detects objects")):
        with pytest.raises(WeightsError, match=rf"network that segments, expected .* {wanted}\."):
            require_task(card, task)
    denoiser = Card("dran-grey", "dran", {}, 1)
    with pytest.raises(WeightsError, match="'dran-grey' are of a network that denoises"):
        require_task(denoiser, "segment")
