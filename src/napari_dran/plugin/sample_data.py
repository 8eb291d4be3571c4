"""The bundled images, as napari's File > Open Sample asks for them."""

from __future__ import annotations

from dataclasses import replace

from .layers import volume_to_layer
from .reader_writer import LayerData


def open_sample(name: str) -> list[LayerData]:
    """Load a bundled image as a layer.

    Parameters
    ----------
    name : str
        A key of :data:`napari_dran.samples.SAMPLES`.
    """
    from ..samples import load_sample

    volume = load_sample(name)
    if volume.source is not None:
        # A copied recipe must not name the bundled file: noise was added to what is in it.
        volume = replace(volume, source=replace(volume.source, path=None))
    return [volume_to_layer(volume)]


def open_t1_noisy() -> list[LayerData]:
    """T1 brain MR with added Gaussian noise."""
    return open_sample("t1-noisy")


def open_t1() -> list[LayerData]:
    """T1 brain MR as it was measured."""
    return open_sample("t1")


def open_flair() -> list[LayerData]:
    """FLAIR brain MR, noisy as measured."""
    return open_sample("flair")


def open_epi() -> list[LayerData]:
    """4-D EPI brain MR (fMRI)."""
    return open_sample("epi")


def open_micrograph() -> list[LayerData]:
    """Colour micrograph of stained tissue."""
    return open_sample("micrograph")


def open_nuclei_noisy() -> list[LayerData]:
    """Fluorescent nuclei with added Gaussian noise."""
    return open_sample("nuclei-noisy")


def open_nuclei() -> list[LayerData]:
    """Fluorescent nuclei as they were measured."""
    return open_sample("nuclei")
