"""``napari-dran demo``: two bundled brains, before and after."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from .. import denoising
from ..denoising.suggestion import REAL
from .console import default, progress_bar, seconds, show

if TYPE_CHECKING:
    from ..denoising import Denoised, Denoiser
    from ..volume import Volume
    from .picture import Panel

FIRST_SLICE, SLICES = 12, 24
"""Part of the samples that is denoised: enough to look at, and quick on a CPU."""

SHOWN_SLICE = 12
DETAIL = np.s_[62:102, 58:120]
"""The lesion, and half as wide and a quarter as high as a slice."""
MAX_GREY = 255.0


@dataclass(frozen=True)
class Case:
    """One finished demonstration."""

    title: str
    panels: list[Panel]
    files: dict[str, Volume]


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the results, made if missing.")
    ] = Path("demo-output"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = default(
        denoising.denoise, "device"
    ),
    weights: Annotated[
        str, typer.Option(help="Shipped name or .safetensors file, for grey images.")
    ] = default(denoising.denoise, "weights"),
) -> None:
    """Denoise two bundled brain volumes and write before, after and residual.

    One has known noise, so that the gain can be measured; the other is as noisy
    as the scanner made it. Results of an earlier demo are replaced.
    """
    from ..files import write_volume
    from ..files.atomic import check_target
    from . import picture

    started = time.monotonic()
    if not output.is_dir():
        check_target(output, overwrite=False)
        output.mkdir()
    denoiser = denoising.Denoiser(weights, device=device)
    show(f"Denoising on the {denoiser.device}; about half a minute on two CPU cores.", "dim")
    # What `info` suggests for the noise of this scanner, unless the user chose.
    for_real = denoiser if weights != denoising.AUTO else denoising.Denoiser(REAL, device=device)
    cases = [_known_noise(denoiser), _real_noise(for_real)]
    written = []
    for case in cases:
        for name, volume in case.files.items():
            written.append(write_volume(volume, output / f"{name}.nii.gz", overwrite=True))
    figure = output / "before-after.png"
    picture.save(
        picture.draw([(case.title, case.panels) for case in cases]), figure, overwrite=True
    )
    show(f"\nDone in {seconds(time.monotonic() - started)}. Written to {output.resolve()}:")
    show(f"  {figure.name}  the middle slices before, after, and what was taken away")
    show(f"  {', '.join(path.name for path in written)}")
    show(f"Look closer in napari: napari {output / '*.nii.gz'}")


def middle(volume: Volume) -> Volume:
    """Return the slices in the middle of a volume (z, y, x), at their place."""
    affine = volume.affine.copy()
    affine[:3, 3] += FIRST_SLICE * affine[:3, 0]
    part = volume.data[FIRST_SLICE : FIRST_SLICE + SLICES]
    return replace(volume, data=part, affine=affine)


def _known_noise(denoiser: Denoiser) -> Case:
    """Denoise the T1 with added noise, and measure against the one without."""
    from ..samples import SAMPLES, load_sample
    from .picture import compare

    noisy, clean = (middle(load_sample(name)) for name in ("t1-noisy", "t1"))
    result = _run(denoiser, noisy, "T1, added noise")
    before, after = _scores(clean, noisy), _scores(clean, result.image)
    title = f"T1 brain MR, noise of sigma {SAMPLES['t1-noisy'].added_sigma:g} of 255 added"
    show(f"\n{title} ({_size(noisy)})", "bold")
    show(f"  PSNR  {before[0]:6.2f} dB -> {after[0]:6.2f} dB")
    show(f"  SSIM  {before[1]:6.3f}    -> {after[1]:6.3f}")
    shown = [volume.data[SHOWN_SLICE] for volume in (noisy, result.image, clean)]
    notes = (_in_words(*before), _in_words(*after))
    window = (0.0, float(np.percentile(shown[2], 99.9)))
    panels = compare(shown[0], shown[1], window, notes, clean=shown[2])
    return Case(title, panels, _files("t1", noisy, result) | {"t1-reference": clean})


def _real_noise(denoiser: Denoiser) -> Case:
    """Denoise the FLAIR as it was measured, and estimate its noise."""
    from ..noise import GREY_LEVELS, estimate_sigma
    from ..samples import load_sample
    from .picture import Panel, compare

    noisy = middle(load_sample("flair"))
    result = _run(denoiser, noisy, "FLAIR, real noise")
    sigmas = [estimate_sigma(volume.data, volume.axes) for volume in (noisy, result.image)]
    assert result.window is not None
    levels = [sigma / result.window.range * GREY_LEVELS for sigma in sigmas]
    weights = result.provenance.weights
    title = f"FLAIR brain MR after a stroke, noise as measured, {weights}"
    show(f"\n{title} ({_size(noisy)})", "bold")
    show(
        f"  estimated sigma  {sigmas[0]:.2f} -> {sigmas[1]:.2f} "
        f"({levels[0]:.1f} -> {levels[1]:.1f} grey levels of 255)"
    )
    shown = [volume.data[SHOWN_SLICE] for volume in (noisy, result.image)]
    window = (0.0, float(np.percentile(shown[0], 99.8)))
    notes = (f"estimated sigma {sigmas[0]:.2f}", f"estimated sigma {sigmas[1]:.2f}")
    panels = compare(shown[0], shown[1], window, notes)
    details = np.vstack([image[DETAIL] for image in shown])
    panels.append(Panel(details, *window, "Detail", "before above, after below"))
    return Case(title, panels, _files("flair", noisy, result))


def _run(denoiser: Denoiser, volume: Volume, title: str) -> Denoised:
    with progress_bar(title) as progress:
        return denoiser.run(volume, progress=progress)


def _files(name: str, noisy: Volume, result: Denoised) -> dict[str, Volume]:
    return {
        f"{name}-before": noisy,
        f"{name}-after": result.image,
        f"{name}-residual": result.noise,
    }


def _scores(clean: Volume, image: Volume) -> tuple[float, float]:
    """Return PSNR in dB of the volume and the mean SSIM of its slices."""
    from ..metrics import psnr, ssim

    reference = clean.data.astype(np.float32) / MAX_GREY
    clipped = np.clip(image.data / MAX_GREY, 0, 1)
    pairs = zip(reference, clipped, strict=True)
    return psnr(reference, clipped), float(np.mean([ssim(a, b) for a, b in pairs]))


def _in_words(psnr: float, ssim: float) -> str:
    return f"PSNR {psnr:.2f} dB, SSIM {ssim:.3f}"


def _size(volume: Any) -> str:
    return " x ".join(str(length) for length in volume.shape)
