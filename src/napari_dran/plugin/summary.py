"""What the Denoise widget says about the image that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..volume import Volume

if TYPE_CHECKING:
    from ..denoising import Plan

ANATOMICAL = {"z": "axial", "y": "coronal", "x": "sagittal"}
TIMES = " \N{MULTIPLICATION SIGN} "


def nothing_to_denoise(layers: Any, done: str = "denoised") -> str:
    """Say kindly why no image can be chosen.

    Parameters
    ----------
    layers : iterable of napari layers
        Those in the viewer.
    done : str
        What would be done to it.
    """
    kinds = sorted({type(layer).__name__ for layer in layers})
    if kinds:
        return (
            f"Only images can be {done}, and there is none here (found: {', '.join(kinds)}). "
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
        parts = "voxels" if volume.spatial_axes == "zyx" else "pixels"
        lines.append(f"{spacing} {volume.unit.replace('um', 'µm')} {parts}")
    return "<br>".join(lines)


def describe_noise(plan: Plan) -> str:
    """Describe the noise level and warn where the weights were not trained for it.

    Parameters
    ----------
    plan : Plan
        What would be done.
    """
    window, levels, card = plan.window, plan.sigma_255, plan.card
    if window is None or levels is None:
        return "The image is constant: there is no noise to remove."
    several = len(plan.windows) > 1
    text = (
        f"noise \N{GREEK SMALL LETTER SIGMA} ≈ <b>{number(plan.sigma, 3)}</b> "
        f"({levels:.1f} of 255 levels)<br>"
        f"window{'s' * several} {number(window.low)} to {number(window.high)}"
        f"{', one a channel' * several}"
    )
    if levels > card.sigma_range[1]:
        text += (
            f"<br><span style='color: #e0a030'>⚠ More noise than {card.name} was trained for "
            f"(up to {card.sigma_range[1]:g}): expect some to stay.</span>"
        )
    if plan.suggestion:
        text += f"<br><span style='color: #e0a030'>➜ {plan.suggestion}</span>"
    if levels < max(card.sigma_range[0], 0.5):
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


def number(value: float, digits: int = 4) -> str:
    """Write a number shortly, but never a large one as a power of ten."""
    large = abs(value) >= 10 ** (digits - 1)
    return f"{value:.0f}" if large and abs(value) < 1e9 else f"{value:.{digits}g}"
