"""MONAI bundles: a folder with configurations and the weights of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ...errors import WeightsError
from ..card import Card
from ..networks import build_network
from ..store import SUFFIX
from .config import TARGET, Config
from .imported import COLOUR, LICENCE, CardFields, Imported, load_into, write_imported
from .pickled import read_state
from .preprocessing import read_preprocessing

CONFIGS = "configs"
MODELS = "models"
ENDINGS = (".json", ".yaml", ".yml")
STEMS = ("inference", "train", "evaluate")
"""The configurations in which a network is looked for, in this order."""
NETWORKS = ("network_def", "network", "model", "net")
CLASSES = ("monai.networks.nets.", "")
"""Before the class of a network; MONAI finds its own without."""
OLD_DIMENSIONS = "dimensions"
"""What spatial_dims was called before MONAI 1.0."""
BACKGROUND = frozenset({"background", "bg", "back"})
ONE_IMAGE = frozenset({"r", "g", "b", "red", "green", "blue", "image", "colour", "color", "rgb"})
"""Names of channels that are the colours of one image."""


@dataclass(frozen=True)
class Format:
    """What a bundle says of the images its network takes and gives.

    Parameters
    ----------
    classes, inputs : tuple of str
        As on a card; none if it does not say.
    value_range : list of float or None
        Of the inputs.
    """

    classes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    value_range: list[float] | None = None


def is_bundle(source: Path) -> bool:
    """Whether a path is a folder, or a configuration in one."""
    return source.is_dir() or source.suffix in ENDINGS


def import_bundle(
    source: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    **stated: Unpack[CardFields],
) -> Card:
    """Convert a bundle whose network segments slices.

    Parameters
    ----------
    source : str or Path
        Its folder, or one of its configurations, in ``configs``. Nothing in them is
        run: the network has to be one of :data:`~napari_dran.network.monai_unet.COARSEST`
        with literal arguments. The weights are ``models/model.safetensors`` or
        ``models/model.pt``, a state dict.
    output : str or Path
        The .safetensors file to write.
    overwrite : bool
        Whether an existing file may be replaced.
    **stated
        Fields of the card, instead of those that the bundle implies.

    Returns
    -------
    Card
        As it was written. ``training["notes"]`` says what could not be taken over.

    Raises
    ------
    WeightsError
        The folder is no bundle, its network is another one, or it cannot be told
        without running what the bundle says.
    """
    path = Path(source)
    root = path if path.is_dir() else path.parent.parent
    config, network_def = _network_def(_configs(root) if path.is_dir() else [path], root)
    metadata = _metadata(root)
    said = _format(metadata)
    before = read_preprocessing(config, said.value_range)
    arguments = config.arguments(network_def, "The network")
    if OLD_DIMENSIONS in arguments:
        arguments["spatial_dims"] = arguments.pop(OLD_DIMENSIONS)
    network: Any = build_network(
        "monai-unet",
        {
            "network": _class(network_def[TARGET], config),
            "arguments": arguments,
            "steps": before.steps,
            "transposed": before.transposed,
        },
    )
    _check_activation(config, network.arguments["arguments"]["out_channels"])
    weights = _weights(root)
    load_into(network.network, read_state(weights), weights)
    network.eval()
    found = Imported(
        network,
        "monai-unet",
        description=str(metadata.get("task") or f"Imported from the bundle {root.name}."),
        licence=str(metadata.get("license") or LICENCE),
        classes=said.classes if len(said.classes) == network.outputs - 1 else (),
        inputs=said.inputs if len(said.inputs) == network.channels else (),
        side=before.side,
        notes=before.notes,
    )
    return write_imported(found, output, stated, overwrite=overwrite)


def _configs(root: Path) -> list[Path]:
    """Return the configurations of a bundle in which its network may be."""
    folder = root / CONFIGS
    paths = [folder / f"{stem}{ending}" for stem in STEMS for ending in ENDINGS]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise WeightsError(
            f"{root} is no MONAI bundle that can be imported. Expected {CONFIGS}/inference.json "
            f"(or train, evaluate; .yaml) and {MODELS}/model.pt in it."
        )
    return found


def _network_def(paths: list[Path], root: Path) -> tuple[Config, Mapping[str, Any]]:
    """Return the first configuration with a network, and what it says of that."""
    expression: tuple[Config, str] | None = None
    for path in paths:
        config = Config(path)
        for name in NETWORKS:
            value = config.follow(config.get(name))
            if isinstance(value, Mapping) and TARGET in value:
                return config, value
            if isinstance(value, str) and expression is None:
                expression = (config, value)
    if expression is not None:
        expression[0].literal(expression[1], "The network")
    raise WeightsError(
        f"The configurations of {root} ({', '.join(path.name for path in paths)}) have no "
        f'"{NETWORKS[0]}" with a "{TARGET}", so the network is not known.'
    )


def _class(target: Any, config: Config) -> str:
    """Return the name of the class a bundle's network is of, without its module."""
    name = config.literal(target, "The class of the network")
    module, _, short = str(name).rpartition(".")
    if module and not f"{module}.".startswith(CLASSES[0]):
        raise WeightsError(
            f"The network of {config.path} is {name!r}, and building it would run code that is "
            f"not MONAI's. Expected a class of {CLASSES[0].rstrip('.')}."
        )
    return short


def _check_activation(config: Config, outputs: int) -> None:
    """Raise WeightsError if a pixel may belong to several classes at once."""
    post = config.follow(config.get("postprocessing"))
    transforms = config.follow(post.get("transforms")) if isinstance(post, Mapping) else post
    for transform in transforms if isinstance(transforms, list) else []:
        if outputs > 1 and isinstance(transform, Mapping) and transform.get("sigmoid") is True:
            raise WeightsError(
                f"The network of {config.path} has {outputs} outputs that do not exclude each "
                "other (sigmoid): a pixel may belong to several. Expected one class for each pixel "
                "(softmax), or a single output."
            )


def _weights(root: Path) -> Path:
    """Return the file with the weights of a bundle."""
    for name in (f"model{SUFFIX}", "model.pt", "model.pth", "model.ts"):
        if (path := root / MODELS / name).is_file():
            return path
    listed = any((root / f"large_files{ending}").is_file() for ending in (".yml", ".yaml", ".json"))
    remark = " Its large_files says where they can be had." if listed else ""
    raise WeightsError(
        f"The bundle {root} has no weights. Expected {MODELS}/model{SUFFIX} or "
        f"{MODELS}/model.pt.{remark}"
    )


def _metadata(root: Path) -> dict[str, Any]:
    path = root / CONFIGS / "metadata.json"
    return Config(path).values if path.is_file() else {}


def _format(metadata: Mapping[str, Any]) -> Format:
    """Read what the metadata say of inputs and outputs; what is odd counts as not said."""
    data = metadata.get("network_data_format")
    image, prediction = (_first(data, key) for key in ("inputs", "outputs"))
    classes = tuple(n for n in _channel_names(prediction) if n.casefold() not in BACKGROUND)
    inputs = _channel_names(image)
    colours = len(inputs) in (1, COLOUR) and all(
        name.casefold().split()[0] in ONE_IMAGE for name in inputs
    )
    limits = image.get("value_range")
    numbers = (
        [float(limit) for limit in limits if isinstance(limit, int | float)]
        if isinstance(limits, list)
        else []
    )
    return Format(
        classes,
        () if colours or len(inputs) == 1 else inputs,
        numbers if len(numbers) == 2 and numbers[0] < numbers[1] else None,
    )


def _first(data: Any, key: str) -> Mapping[str, Any]:
    """Return the first of the images that go in or come out."""
    images = data.get(key) if isinstance(data, Mapping) else None
    first: Any = next(iter(images.values()), {}) if isinstance(images, Mapping) else {}
    return first if isinstance(first, Mapping) else {}


def _channel_names(image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of channels, in order of their numbers."""
    names = image.get("channel_def")
    if not isinstance(names, Mapping) or not all(str(key).isdecimal() for key in names):
        return ()
    return tuple(str(names[key]).strip() for key in sorted(names, key=int) if names[key])
