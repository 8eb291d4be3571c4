"""What the Denoise widget says about the image that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..volume import Volume

if TYPE_CHECKING:
    from ..intensity import Window
    from ..weights import Card

ANATOMICAL = {"z": "axial", "y": "coronal", "x": "sagittal"}
GREY_LEVELS = 255
TIMES = " \N{MULTIPLICATION SIGN} "


def nothing_to_denoise(layers: Any) -> str:
    """Say kindly why no image can be chosen.

    Parameters
    ----------
    layers : iterable of napari layers
        Those in the viewer.
    """
    kinds = sorted({type(layer).__name__ for layer in layers})
    if kinds:
        return (
            f"Only images can be denoised, and there is none here (found: {', '.join(kinds)}). "
            "Open a scan, or try File ▸ Open Sample ▸ DRAN."
        )
    return "No image yet. Open a scan, or try File ▸ Open Sample ▸ DRAN."


def describe(volume: Volume) -> str:
    """Describe shape, spacing and dtype in one or two lines of rich text."""
    axes = volume.axes.removesuffix("s")
    shape = TIMES.join(str(n) for n in volume.shape[: len(axes)])
    lines = [f"{shape} ({', '.join(axes)}){' colour' if volume.rgb else ''}, {volume.dtype}"]
    if volume.unit != "pixel":
        spacing = TIMES.join(f"{s:.3g}" for s in volume.spacing)
        lines.append(f"{spacing} {volume.unit.replace('um', 'µm')} voxels")
    return "<br>".join(lines)


def describe_noise(sigma: float, window: Window | None, card: Card | None) -> str:
    """Describe the noise level and warn where the weights were not trained for it.

    Parameters
    ----------
    sigma : float
        Standard deviation in the image's unit.
    window : Window or None
        What the network will see; None for a constant image.
    card : Card or None
        Of the weights that will be used, if it could be read.
    """
    if window is None:
        return "The image is constant: there is no noise to remove."
    levels = sigma / window.range * GREY_LEVELS
    text = (
        f"noise \N{GREEK SMALL LETTER SIGMA} ≈ <b>{sigma:.3g}</b> "
        f"({levels:.1f}/{GREY_LEVELS} of window)<br>window {window.low:.4g} to {window.high:.4g}"
    )
    if card is not None and levels > card.sigma_range[1]:
        text += (
            f"<br><span style='color: #e0a030'>⚠ More noise than {card.name} was trained for "
            f"(up to {card.sigma_range[1]:g}): expect some to stay.</span>"
        )
    elif card is not None and levels < max(card.sigma_range[0], 0.5):
        text += (
            "<br><span style='color: #e0a030'>⚠ Hardly any noise: "
            "denoising may take away fine detail.</span>"
        )
    return text


def axis_choices(volume: Volume, anatomical: bool) -> list[tuple[str, int]]:
    """Name the axes across which a volume can be cut into slices.

    Parameters
    ----------
    volume : Volume
        The image.
    anatomical : bool
        Whether z, y and x are a patient's, so that the planes have names.
    """
    if volume.spatial_axes == "yx":
        return [("whole image", 0)]
    return [
        (f"{ANATOMICAL[letter]} (across {letter})" if anatomical else f"across {letter}", axis)
        for axis, letter in enumerate("zyx")
    ]
