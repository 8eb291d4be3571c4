"""Before, after and residual side by side in one PNG. Needs Pillow only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PANEL_HEIGHT = 460
MARGIN = 16
CAPTION = 60
TITLE = 50
BACKGROUND = (18, 20, 24)
BRIGHT = (240, 242, 245)
MUTED = (160, 168, 178)


@dataclass(frozen=True)
class Panel:
    """One image and what to write below it.

    Parameters
    ----------
    image : ndarray
        (height, width), any number type.
    low, high : float
        Values shown as black and as white.
    title, note : str
        First and second line of the caption.
    """

    image: np.ndarray
    low: float
    high: float
    title: str
    note: str = ""


def compare(
    before: np.ndarray,
    after: np.ndarray,
    window: tuple[float, float],
    notes: tuple[str, str] = ("", ""),
    clean: np.ndarray | None = None,
) -> list[Panel]:
    """Make a row of panels: before, after, residual, and the clean image if known.

    The images share one window. The residual is grey where nothing was taken
    away; its scale is symmetric and as wide as its largest values.

    Parameters
    ----------
    before, after : ndarray
        (height, width) in the same unit.
    window : tuple of float
        Values shown as black and as white.
    notes : tuple of str
        Second line of the captions of before and after.
    clean : ndarray, optional
        The image without noise.
    """
    residual = before.astype(np.float64) - after
    reach = float(np.percentile(np.abs(residual), 99.5)) or 1.0
    panels = [
        Panel(before, *window, "Before", notes[0]),
        Panel(after, *window, "After", notes[1]),
        Panel(residual, -reach, reach, "Residual", f"before - after, {-reach:.3g} to {reach:.3g}"),
    ]
    if clean is not None:
        panels.append(Panel(clean, *window, "Reference", "before noise was added"))
    return panels


def draw(rows: list[tuple[str, list[Panel]]]) -> Image.Image:
    """Draw titled rows of panels, all of one height.

    Parameters
    ----------
    rows : list of (str, list of Panel)
        Title and panels of each row.
    """
    pictures = [[_scale(panel) for panel in panels] for _, panels in rows]
    widths = [sum(p.width for p in row) + MARGIN * (len(row) + 1) for row in pictures]
    block = TITLE + PANEL_HEIGHT + CAPTION
    canvas = Image.new("RGB", (max(widths), block * len(rows) + MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    large, small = ImageFont.load_default(24), ImageFont.load_default(19)
    for number, ((title, panels), row) in enumerate(zip(rows, pictures, strict=True)):
        top = block * number
        pen.text((MARGIN, top + TITLE // 2), title, BRIGHT, large, anchor="lm")
        left = MARGIN
        for panel, picture in zip(panels, row, strict=True):
            canvas.paste(picture, (left, top + TITLE))
            below = top + TITLE + PANEL_HEIGHT + 6
            pen.text((left, below), panel.title, BRIGHT, small)
            pen.text((left, below + 23), panel.note, MUTED, small)
            left += picture.width + MARGIN
    return canvas


def save(picture: Image.Image, path: Path, *, overwrite: bool = False) -> None:
    """Write a picture as PNG."""
    from ..files.atomic import writing

    with writing(path, overwrite) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def _scale(panel: Panel) -> Image.Image:
    levels = (panel.image.astype(np.float64) - panel.low) / (panel.high - panel.low)
    grey = Image.fromarray((np.clip(levels, 0, 1) * 255).round().astype(np.uint8))
    # Whole pixels are kept visible: smoothing would hide the noise to be seen.
    width = round(grey.width * PANEL_HEIGHT / grey.height)
    return grey.resize((width, PANEL_HEIGHT), Image.Resampling.NEAREST).convert("RGB")
