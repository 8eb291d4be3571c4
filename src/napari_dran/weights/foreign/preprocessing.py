"""What a MONAI bundle did to images before its network saw them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import WeightsError
from .config import TARGET, Config

PLACES = ("preprocessing", "validate::preprocessing", "train::preprocessing")
IMAGE = "image"
EIGHT_BIT = [0.0, 255.0]
UNIT = [0.0, 1.0]

HARMLESS = frozenset(
    {
        "EnsureChannelFirst", "AddChannel", "AsChannelFirst", "EnsureType", "ToTensor",
        "CastToType", "ToDevice", "Identity", "DeleteItems", "SelectItems",
    }
)  # fmt: skip
"""What changes neither values nor places."""


@dataclass(frozen=True)
class Preprocessing:
    """What is done to images.

    Parameters
    ----------
    steps : tuple of mapping
        To intensities, see :mod:`~napari_dran.network.intensity_steps`.
    transposed : bool
        Whether the first axis is x.
    side : int
        Longer side in pixels; 0 for any.
    notes : tuple of str
        What users have to see to themselves.
    """

    steps: tuple[Mapping[str, Any], ...] = ()
    transposed: bool = False
    side: int = 0
    notes: tuple[str, ...] = ()


def read_preprocessing(config: Config, value_range: list[float] | None = None) -> Preprocessing:
    """Take over what a bundle does to its images.

    Parameters
    ----------
    config : Config
        Its configuration.
    value_range : list of float, optional
        What the bundle says its network takes, for where it says nothing else.

    Raises
    ------
    WeightsError
        A step for intensities is one that cannot be read without running it.
    """
    steps: list[dict[str, Any]] = []
    left_out: list[str] = []
    notes: list[str] = []
    transposed, side = False, 0
    for transform in _transforms(config):
        name = _name(transform)
        if name in INTENSITY:
            arguments = config.arguments(transform, f"The transform {name}")
            steps.append(_read_step(name, arguments, config))
        elif name == "LoadImage":
            reader = str(transform.get("reader") or "")
            plain = transform.get("reverse_indexing") is False or reader.startswith("Numpy")
            transposed = not plain
        elif name == "Resize":
            size = config.arguments(transform, f"The transform {name}").get("spatial_size")
            side = max(size) if isinstance(size, list) else int(size or 0)
        elif name not in HARMLESS:
            left_out.append(name)
    if not steps and value_range and value_range != UNIT:
        steps = [{"kind": "shift-range", "start": UNIT, "to": value_range}]
    elif steps and "start" in steps[0]:
        low, high = steps[0]["start"]
        notes.append(f"It expects the window {low:g} to {high:g}.")
        steps[0]["start"] = UNIT
    elif steps and steps[0]["kind"] == "subtract-and-divide":
        notes.append(f"It expects the window {EIGHT_BIT[0]:g} to {EIGHT_BIT[1]:g}.")
        steps.insert(0, {"kind": "shift-range", "start": UNIT, "to": EIGHT_BIT})
    if left_out:
        notes.append(
            f"Its bundle also does {', '.join(dict.fromkeys(left_out))} to images, which is not "
            "done here: do it before, where it matters."
        )
    return Preprocessing(tuple(steps), transposed, side, tuple(notes))


def _transforms(config: Config) -> list[Mapping[str, Any]]:
    """Return those of the image in order; what is no plain mapping has its text as target."""
    for place in PLACES:
        found = config.follow(config.get(place))
        if isinstance(found, Mapping):
            found = config.follow(found.get("transforms"))
        if isinstance(found, list):
            break
    else:
        return []
    entries = [config.follow(entry) for entry in found]
    wanted = [e if isinstance(e, Mapping) else {TARGET: str(e)} for e in entries]
    return [e for e in wanted if e.get("_disabled_") is not True and _of_image(e, config)]


def _of_image(transform: Mapping[str, Any], config: Config) -> bool:
    """Whether it is for the image; those for labels alone are of no use here."""
    keys = config.follow(transform.get("keys", IMAGE))
    keys = keys if isinstance(keys, list) else [keys]
    labels = ("label", "pred", "seg", "mask")
    return not all(str(config.follow(key)).startswith(labels) for key in keys)


def _name(transform: Mapping[str, Any]) -> str:
    """Return the name without the d that those for dictionaries end on."""
    name = str(transform.get(TARGET, "")).rpartition(".")[2]
    for ending in ("Dict", "d", "D"):
        short = name.removesuffix(ending)
        if short in INTENSITY or short in HARMLESS or short in ("LoadImage", "Resize"):
            return short
    return name


def _read_step(name: str, arguments: dict[str, Any], config: Config) -> dict[str, Any]:
    for key in ("keys", "allow_missing_keys", "dtype"):
        arguments.pop(key, None)
    try:
        return INTENSITY[name](**arguments)
    except (TypeError, ValueError) as error:
        raise WeightsError(
            f"The transform {name} in {config.path} cannot be taken over: {error}. Write it with "
            "other arguments, and import again."
        ) from error


def _scale(
    minv: float | None = 0.0,
    maxv: float | None = 1.0,
    factor: float | None = None,
    channel_wise: bool = False,
) -> dict[str, Any]:
    if minv is None or maxv is None:
        raise ValueError("only minv and maxv, not a factor, are known here")
    return {"kind": "stretch", "to": [minv, maxv], "by_channel": channel_wise}


def _scale_range(
    a_min: float,
    a_max: float,
    b_min: float | None = None,
    b_max: float | None = None,
    clip: bool = False,
) -> dict[str, Any]:
    if a_min == a_max:
        raise ValueError(f"a_min and a_max are both {a_min:g}")
    to = UNIT if b_min is None or b_max is None else [b_min, b_max]
    return {"kind": "shift-range", "start": [a_min, a_max], "to": to, "clip": clip}


def _scale_percentiles(
    lower: float,
    upper: float,
    b_min: float | None,
    b_max: float | None,
    clip: bool = False,
    relative: bool = False,
    channel_wise: bool = False,
) -> dict[str, Any]:
    if relative:
        raise ValueError("relative percentiles are not known here")
    to = UNIT if b_min is None or b_max is None else [b_min, b_max]
    return {
        "kind": "stretch-percentiles", "percent": [lower, upper], "to": to, "clip": clip,
        "by_channel": channel_wise,
    }  # fmt: skip


def _normalise(
    subtrahend: Any = None, divisor: Any = None, nonzero: bool = False, channel_wise: bool = False
) -> dict[str, Any]:
    if subtrahend is None and divisor is None:
        return {"kind": "standardise", "nonzero": nonzero, "by_channel": channel_wise}
    if subtrahend is None or divisor is None or nonzero:
        raise ValueError("only subtrahend and divisor together, of all pixels, are known here")
    return {"kind": "subtract-and-divide", "mean": subtrahend, "deviation": divisor}


INTENSITY: dict[str, Callable[..., dict[str, Any]]] = {
    "ScaleIntensity": _scale,
    "ScaleIntensityRange": _scale_range,
    "ScaleIntensityRangePercentiles": _scale_percentiles,
    "NormalizeIntensity": _normalise,
}
"""Transforms of MONAI, by their names without "d", as the steps that do the same."""
