"""MONAI bundles: taken over as they were meant, and nothing in them is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from monai import transforms
from monai.data import PILReader
from monai.networks import nets
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from napari_dran.analysis import Segmenter
from napari_dran.errors import FileReadError, WeightsError
from napari_dran.network.intensity_steps import apply_steps
from napari_dran.network.monai_unet import COARSEST
from napari_dran.weights import import_bundle, import_weights, load_weights

from .conftest import CHANNELS, METADATA, STRIDES, agree, inference, trained

Write = Callable[..., Path]


def changed(**arguments: Any) -> dict[str, Any]:
    """Return the network of a bundle with other arguments."""
    network: dict[str, Any] = inference()["network_def"] | arguments
    return network


def preprocessing(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return transforms of the image as a bundle lists them."""
    return {"_target_": "Compose", "transforms": [{"keys": "image", **entry} for entry in entries]}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.safetensors"


def test_card_says_what_the_bundle_says(bundle: Write, output: Path) -> None:
    card = import_weights(bundle(), output)
    assert (card.name, card.task, card.architecture) == ("out", "segment", "monai-unet")
    assert (card.classes, card.channels, card.inputs) == (("lv_pool", "myocardium"), 1, ())
    assert (card.description, card.licence) == (METADATA["task"], "CC0-1.0")
    assert load_weights(output)[1] == card


def test_real_image_gives_what_monai_makes_of_it(
    bundle: Write, output: Path, corpus: Path, tmp_path: Path
) -> None:
    """MONAI reads, scales and runs; our Segmenter gets the pixels and the imported weights."""
    pixels = np.asarray(Image.open(next((corpus / "lgg" / "test").rglob("*.png"))).convert("L"))
    pixels = pixels[:200]  # so that exchanged axes would show
    Image.fromarray(pixels).save(tmp_path / "slice.png")
    network = trained()
    import_bundle(bundle(network), output)
    reader = PILReader()
    read, _ = reader.get_data(reader.read(tmp_path / "slice.png"))
    prepared = transforms.ScaleIntensity()(read[None])
    wide = torch.nn.functional.pad(
        torch.as_tensor(np.asarray(prepared))[None], (0, -len(pixels) % 4, 0, 0), mode="replicate"
    )
    with torch.inference_mode():
        probabilities = network(wide)[..., : len(pixels)].softmax(1)
    found = Segmenter(output, device="cpu").run(pixels)
    np.testing.assert_allclose(
        found.probability.data, 1 - probabilities[0, 0].numpy().T, rtol=0, atol=5e-3
    )


def test_other_weights_file_and_yaml(bundle: Write, output: Path, image: Tensor) -> None:
    network = trained()
    root = bundle(network)
    save_file(network.state_dict(), root / "models" / "model.safetensors")
    (root / "models" / "model.pt").write_bytes(b"never read")
    (root / "configs" / "inference.json").unlink()
    config = root / "configs" / "train.yaml"
    config.write_text(yaml.safe_dump(inference() | {"preprocessing": None}))
    import_weights(config, output)
    with torch.inference_mode():
        agree(load_weights(output)[0](image), network(image))


ARGUMENTS: dict[str, dict[str, Any]] = {
    "UNet": {"channels": CHANNELS, "strides": STRIDES, "norm": "batch"},
    "AttentionUnet": {"channels": CHANNELS, "strides": STRIDES},
    "DynUNet": {
        "kernel_size": [3, 3, 3], "strides": [1, 2, [2, 2]], "upsample_kernel_size": [2, 2],
        "filters": [4, 8, 16], "deep_supervision": True,
    },
    "BasicUNet": {"features": [4, 4, 8, 8, 16, 4]},
    "BasicUNetPlusPlus": {"features": [4, 4, 8, 8, 16, 4]},
    "FlexibleUNet": {"backbone": "resnet10", "decoder_channels": [16, 8, 8, 4, 4]},
    "SegResNet": {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
}  # fmt: skip


@pytest.mark.parametrize("name", COARSEST)
def test_every_network_of_the_table(name: str, bundle: Write, output: Path, image: Tensor) -> None:
    arguments = {"spatial_dims": 2, "in_channels": 1, "out_channels": 3, **ARGUMENTS[name]}
    network = getattr(nets, name)(**arguments).eval()
    stored = {"_target_": f"monai.networks.nets.{name}", **arguments}
    import_bundle(bundle(network, network_def=stored, preprocessing=None), output)
    loaded = load_weights(output)[0]
    padded = torch.nn.functional.pad(image, (0, 0, 0, 16), mode="replicate")
    with torch.inference_mode():
        wanted = network(padded)
        wanted = wanted[-1] if isinstance(wanted, list) else wanted
        agree(loaded(padded), wanted)
        assert loaded(image[..., :37, :9]).shape == (1, 3, 37, 9)


def test_one_output_becomes_two_with_the_same_probability(
    bundle: Write, output: Path, image: Tensor
) -> None:
    network = trained(outputs=1)
    sigmoid = {"transforms": [{"_target_": "Activationsd", "sigmoid": True}]}
    root = bundle(network, network_def=changed(out_channels=1), preprocessing=None,
                  postprocessing=sigmoid)  # fmt: skip
    card = import_bundle(root, output, classes=("ventricle",))
    assert card.classes == ("ventricle",)
    with torch.inference_mode():
        found = load_weights(output)[0](image).softmax(1)[:, 1:]
        torch.testing.assert_close(found, network(image).sigmoid(), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ScaleIntensity", {"minv": -1.0, "maxv": 1.0}),
        ("ScaleIntensity", {"channel_wise": True}),
        ("NormalizeIntensity", {}),
        ("NormalizeIntensity", {"nonzero": True, "channel_wise": True}),
        ("NormalizeIntensity", {"subtrahend": [90.0, 20.0], "divisor": [60.0, 30.0],
                                "channel_wise": True}),
        ("ScaleIntensityRange", {"a_min": 0, "a_max": 255, "b_min": -1, "b_max": 1, "clip": True}),
        ("ScaleIntensityRangePercentiles", {"lower": 2, "upper": 90, "b_min": 0, "b_max": 1,
                                            "clip": True}),
    ],
)  # fmt: skip
def test_intensities_become_what_monai_makes_them(
    name: str, arguments: dict[str, Any], bundle: Write, output: Path, image: Tensor
) -> None:
    grey = torch.cat([image * 255, (1 - image).square() * 200], dim=1)
    wanted = torch.as_tensor(np.asarray(getattr(transforms, name)(**arguments)(grey[0].clone())))
    root = bundle(
        trained(channels=2),
        network_def=changed(in_channels=2),
        preprocessing=preprocessing({"_target_": f"monai.transforms.{name}d", **arguments}),
    )
    import_bundle(root, output)
    network: Any = load_weights(output)[0]
    torch.testing.assert_close(
        apply_steps(grey / 255, network.steps)[0], wanted, rtol=1e-4, atol=1e-5
    )


def test_what_is_not_taken_over_is_said(bundle: Write, output: Path) -> None:
    steps = preprocessing(
        {"_target_": "Spacingd", "pixdim": "$something"},
        {"_target_": "ScaleIntensityRanged", "a_min": -175, "a_max": 250},
        {"_target_": "Resized", "spatial_size": [736, 480]},
        {"_target_": "Lambdad", "keys": "label", "func": "$print"},
    )
    card = import_bundle(bundle(preprocessing=steps), output)
    notes = " ".join(card.training["notes"])
    assert "window -175 to 250" in notes
    assert "Spacingd" in notes
    assert "Lambdad" not in notes
    assert card.side == 736


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network_def": changed(channels="$print('run')")}, "would run it as a program"),
        ({"network_def": "$print('run')"}, "would run it as a program"),
        ({"network_def": None, "network": "$print('run')"}, "would run it as a program"),
        ({"network_def": changed(_target_="os.system")}, "not MONAI's"),
        ({"network_def": changed(_target_="monai.networks.nets.ViT")}, "Expected one of MONAI's"),
        ({"network_def": changed(act={"_target_": "builtins.print"})}, "says what to build"),
        ({"network_def": changed(_requires_="$print('run')")}, "says what to build"),
        ({"network_def": changed(channels="@nowhere")}, "does not define"),
        ({"network_def": changed(channels="@a"), "a": "@b", "b": "@a"}, "but by itself"),
        ({"network_def": changed(channels="%other.json::a")}, "is not followed"),
        ({"network_def": changed(spatial_dims=3)}, "volumes as a whole"),
        ({"network_def": changed(layers=3)}, "layers"),
        ({"network_def": changed(channels=[4])}, "MONAI cannot build"),
        ({"network_def": changed(channels=[8, 8, 16])}, r"other shapes: .*for \(8, 1, 3, 3\)"),
        ({"network_def": None, "network": None}, "have no .network_def"),
        (
            {"postprocessing": {"transforms": [{"_target_": "Activationsd", "sigmoid": True}]}},
            "may belong to several",
        ),
        (
            {"preprocessing": preprocessing({"_target_": "ScaleIntensityd", "minv": "$print()"})},
            "would run it as a program",
        ),
        (
            {"preprocessing": preprocessing({"_target_": "ScaleIntensityd", "odd": 1})},
            "cannot be taken over",
        ),
    ],
)
def test_what_cannot_be_taken_over_is_refused(
    changes: dict[str, Any],
    words: str,
    bundle: Write,
    output: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(WeightsError, match=words):
        import_bundle(bundle(**changes), output)
    assert "run" not in capsys.readouterr().out
    assert not output.exists()


def test_folders_that_are_no_bundles(
    bundle: Write, output: Path, tmp_path: Path, torchscript: Path
) -> None:
    with pytest.raises(WeightsError, match="no MONAI bundle"):
        import_weights(tmp_path, output)
    with pytest.raises(FileReadError, match=r"missing\.json"):
        import_weights(tmp_path / "missing.json", output)
    root = bundle()
    (root / "models" / "model.pt").unlink()
    (root / "large_files.yml").write_text("")
    with pytest.raises(WeightsError, match=r"has no weights.*large_files says"):
        import_weights(root, output)
    torchscript.rename(root / "models" / "model.ts")
    with pytest.raises(WeightsError, match="TorchScript"):
        import_weights(root, output)
    (root / "configs" / "inference.json").write_text("[1")
    with pytest.raises(WeightsError, match="not JSON"):
        import_weights(root, output)


def test_three_sequences_are_inputs_and_three_colours_are_not(bundle: Write, output: Path) -> None:
    for names, inputs in ((["T1", "FLAIR", "T1c"], ("T1", "FLAIR", "T1c")), (["R", "G", "B"], ())):
        root = bundle(trained(channels=3), network_def=changed(in_channels=3))
        said = json.loads(json.dumps(METADATA))
        said["network_data_format"]["inputs"]["image"]["channel_def"] = dict(enumerate(names))
        (root / "configs" / "metadata.json").write_text(json.dumps(said))
        assert import_bundle(root, output, overwrite=True).inputs == inputs
