"""What a run was told, and how to say the same in Python and in the shell."""

from __future__ import annotations

import inspect
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .layers import METADATA_KEY


@dataclass(frozen=True)
class Recipe:
    """The arguments of one run; the names and meanings are those of ``denoise``.

    Parameters
    ----------
    weights : str
        "auto", a shipped name or the path of a file.
    window : str or pair of float
        A name, or bounds in the image's unit.
    axis : int
        Spatial axis across which slices are cut.
    device : str
        "auto", "cpu", "cuda" or "mps".
    strength : float
        Part of the noise that is taken away.
    ensemble : int
        Orientations of each slice that are averaged.
    """

    weights: str
    window: str | tuple[float, float]
    axis: int
    device: str
    strength: float = 1.0
    ensemble: int = 1

    @classmethod
    def default(cls) -> Recipe:
        """Return the library's defaults."""
        from ..denoising import denoise

        parameters = inspect.signature(denoise).parameters
        return cls(**{key: parameters[key].default for key in cls.__dataclass_fields__})

    def as_python(self, layer: str, path: str | None = None, series: str | None = None) -> str:
        """Write the Python code that does the same.

        Parameters
        ----------
        layer : str
            Name of the layer, for an image that did not come from a file.
        path : str, optional
            The file or folder the image came from.
        series : str, optional
            Which of the series in that folder.
        """
        arguments = "".join(f", {key}={value!r}" for key, value in self.chosen().items())
        if path is None:
            return (
                "from napari_dran import denoise\n\n"
                f"noisy = viewer.layers[{layer!r}]\n"
                f"viewer.add_layer(denoise(noisy{arguments}))\n"
            )
        return (
            "from napari_dran import denoise, read_volume, write_volume\n\n"
            f"noisy = read_volume({path!r}{'' if series is None else f', series={series!r}'})\n"
            f"denoised = denoise(noisy{arguments})\n"
            f"write_volume(denoised, {output_beside(path, 'denoised')!r})\n"
        )

    def as_command(self, path: str | None = None, series: str | None = None) -> str:
        """Write the shell command that does the same.

        Parameters
        ----------
        path : str, optional
            The file or folder the image came from; a placeholder stands for an
            image that came from none.
        series : str, optional
            Which of the series in that folder.
        """
        path = path or "image.nii.gz"
        words = ["napari-dran", "denoise", path, "-o", output_beside(path, "denoised")]
        if series is not None:
            words.append(f"--series={series}")
        for key, value in self.chosen().items():
            text = ":".join(f"{v:.10g}" for v in value) if key == "window" and isinstance(
                value, tuple
            ) else str(value)  # fmt: skip
            # One word, so that a negative bound does not look like an option.
            words.append(f"--{key}={text}")
        return " ".join(shlex.quote(word) for word in words)

    def fixed(self, contrast_limits: tuple[float, float] | None) -> Recipe:
        """Replace the window "contrast-limits", which only a layer has, by its numbers."""
        if self.window != "contrast-limits" or contrast_limits is None:
            return self
        return replace(self, window=contrast_limits)

    def chosen(self) -> dict[str, Any]:
        """Return the arguments that differ from the library's defaults."""
        from ..denoising import denoise

        parameters = inspect.signature(denoise).parameters
        values = {key: getattr(self, key) for key in self.__dataclass_fields__}
        return {key: value for key, value in values.items() if value != parameters[key].default}


def source_path(layer: Any) -> str | None:
    """Tell which file or folder a layer was read from, if it shows what is in there."""
    kept = getattr(layer, "metadata", {}).get(METADATA_KEY, {})
    volume = kept.get("volume")
    if volume is not None and kept.get("history", ()) != volume.history:
        # Something was done to it since.
        return None
    source = getattr(volume, "source", None)
    if source is not None and source.path is not None:
        return str(source.path)
    path = getattr(getattr(layer, "source", None), "path", None)
    return None if path is None else str(path)


def source_series(layer: Any) -> str | None:
    """Tell which of the series in its DICOM folder a layer shows, if there are several."""
    series = getattr(layer, "metadata", {}).get(METADATA_KEY, {}).get("series")
    return None if series is None else str(series)


def output_beside(path: str, word: str, suffix: str | None = None) -> str:
    """Suggest where to write what was made of a file or folder: beside it.

    Parameters
    ----------
    path : str
        The file or folder.
    word : str
        Added to its name.
    suffix : str, optional
        Of another format.
    """
    source = Path(path)
    own = "".join(source.suffixes[-2:] if source.suffix == ".gz" else source.suffixes[-1:])
    # A header beside its data (.mhd) or a whole series would not fit into one file of that name.
    written = {"": "", ".mhd": ".mha", ".nhdr": ".nrrd", ".mgz": ".nii.gz", ".mgh": ".nii.gz"}
    stem = source.name.removesuffix(own)
    suffix = written.get(own.lower(), own) if suffix is None else suffix
    return str(source.with_name(f"{stem}_{word}{suffix}"))
