"""Small real images that come with the package, for demo, menu and tests."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from .errors import InputError
from .volume import Volume

NOISE_SEED = 20201207
"""Seed of the noise added to "t1-noisy"."""


@dataclass(frozen=True)
class Sample:
    """One bundled image.

    Parameters
    ----------
    file : str
        Its file in ``sample_data``, where a README names source and licence.
    title : str
        One line for people.
    added_sigma : float
        Standard deviation of the Gaussian noise added on loading, in the units
        of the image; 0 for none.
    """

    file: str
    title: str
    added_sigma: float = 0.0


SAMPLES: dict[str, Sample] = {
    "t1-noisy": Sample("t1.nii.gz", "T1 brain MR with added noise (sigma 25 of 255)", 25.0),
    "t1": Sample("t1.nii.gz", "T1 brain MR"),
    "flair": Sample("flair.nii.gz", "FLAIR brain MR, noise as measured"),
    "epi": Sample("epi.nii.gz", "4-D EPI brain MR (fMRI)"),
    "micrograph": Sample("micrograph.png", "H&E micrograph, colour"),
    "nuclei-noisy": Sample("nuclei.png", "Fluorescent nuclei with added noise (sigma 25)", 25.0),
    "nuclei": Sample("nuclei.png", "Fluorescent nuclei"),
}


def load_sample(name: str) -> Volume:
    """Load a bundled image.

    Parameters
    ----------
    name : str
        A key of :data:`SAMPLES`: "t1-noisy" (zyx, float32), "t1" (zyx, uint8,
        the same without noise), "flair" (zyx, uint8), "epi" (tzyx, int16),
        "micrograph" (yxs, uint8), "nuclei-noisy" (yx, float32) or "nuclei" (yx, uint8,
        the same without noise).

    Returns
    -------
    Volume
        The image at its place in the patient. Added noise is Gaussian, is not
        clipped, and is the same each time.

    Raises
    ------
    InputError
        There is no sample of that name.
    """
    from .files import read_volume

    if name not in SAMPLES:
        raise InputError(f"Unknown sample {name!r}. Known are {', '.join(SAMPLES)}.")
    sample = SAMPLES[name]
    folder = resources.files("napari_dran") / "sample_data"
    with resources.as_file(folder / sample.file) as path:
        volume = read_volume(path)
    if not sample.added_sigma:
        return volume.with_data(volume.data, name=name)
    noise = np.random.default_rng(NOISE_SEED).standard_normal(volume.shape, dtype=np.float32)
    noisy = volume.data.astype(np.float32) + np.float32(sample.added_sigma) * noise
    return volume.with_data(noisy, name=name)
