"""The experiments, in the order of the page."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

EXPERIMENTS = {
    "gaussian": "Table 2: known Gaussian noise, by category and modality.",
    "released": "Table 2 with the released code's noise, and what that noise is.",
    "grey-as-colour": "A grey image in three channels with a noise each.",
    "ablations": "Table 3 and figure 11: networks of train-networks.",
    "real-noise": "Scans and micrographs as they came, against averages of many.",
    "clean-image": "What is left of a clean image.",
    "flat-field": "Structure made up from pure noise.",
    "spots": "Contrast that small planted lesions keep.",
    "lines": "Contrast that thin planted lines keep, also where a scan is saturated.",
    "figures": "Figures 5 to 7: images of each category at sigma 50.",
    "real-volumes": "Figure 8: real noisy volumes.",
    "analysis-images": "Denoised images for the three that follow, kept in runs/denoised.",
    "segmentation": "Figure 10: tumours segmented on noisy and denoised scans.",
    "detection": "Figure 9: tumours detected on noisy and denoised scans.",
    "nuclei": "Nuclei found on noisy and denoised micrographs.",
}
"""Name -> what its command's help says. The module has the name with underscores."""


def experiment(name: str) -> ModuleType:
    """Import the module of an experiment."""
    return import_module(f".{name.replace('-', '_')}", __package__)
