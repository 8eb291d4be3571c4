"""TIFF: plain, ImageJ hyperstacks and OME-TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..errors import FileReadError
from ..volume import Source, Volume
from . import history
from .reading import reading

# Names of units in the wild, as the volume's unit and how many of these they are.
_UNITS = {
    "nm": ("um", 1e-3), "um": ("um", 1.0), "µm": ("um", 1.0), "μm": ("um", 1.0),
    "\\u00b5m": ("um", 1.0), "micron": ("um", 1.0), "microns": ("um", 1.0),
    "mm": ("mm", 1.0), "cm": ("mm", 10.0), "m": ("mm", 1000.0), "inch": ("mm", 25.4),
}  # fmt: skip
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "µs": 1e-6, "min": 60.0, "h": 3600.0}
_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_OME_DTYPES = (
    "bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64",
)  # fmt: skip
_IMAGEJ_KEPT = ("min", "max", "Info", "Labels", "LUTs", "Ranges")
_LARGEST_IMAGEJ = 2**32 - 2**20
_PALETTE = 3


def read_tiff(path: Path) -> Volume:
    """Read the first image of a TIFF file into memory, in its own dtype.

    Axes, spacing and time step are taken from ImageJ's or OME's metadata. The dots
    per inch of other files tell nothing about the specimen and are left alone.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Volume
        Axes of length one are left out. Pages without a meaning become z.

    Raises
    ------
    FileReadError
        The file is damaged, or has both several channels and several times.
    """
    import tifffile

    with reading(path, "TIFF"), tifffile.TiffFile(path) as file:
        series = file.series[0]
        try:
            data = np.asarray(series.asarray())
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            data = _decode_elsewhere(path, series.shape, series.dtype)
        axes = series.axes
        page = file.pages[0]
        kind = "imagej" if file.is_imagej else "ome" if file.is_ome else "plain"
        metadata = _metadata(file, kind)
        if kind == "plain" and int(page.photometric) == _PALETTE and page.colormap is not None:
            colours = np.moveaxis(page.colormap[:, data], 0, -1)
            data, axes = (colours >> 8).astype(np.uint8), axes + "S"
        header = {"kind": kind, "metadata": metadata, "resolution": _resolution(page)}
    if data.dtype.kind not in "buif":
        raise FileReadError(f"{path} holds {data.dtype} values. Expected integers or floats.")
    data, axes = _arrange(path, data, axes)
    spacing, unit, time_step = _spacing(header)
    affine = np.diag([*spacing, 1.0])
    source = Source("image", path, header, affine=affine.copy())
    name = path.name.removesuffix(path.suffix).removesuffix(".ome")
    return Volume(data, axes, affine, unit, time_step if axes[0] == "t" else None, name, source)


def write_tiff(volume: Volume, path: Path) -> None:
    """Write a TIFF file in the volume's dtype.

    Written as plain TIFF if there is neither spacing nor a third axis; for ImageJ if
    ImageJ knows the dtype; else with OME metadata. All three name the axes,
    the spacing and the unit; the rotation of an affine has no room. An ImageJ source
    keeps its display range, labels and notes. The history goes into the notes.

    Parameters
    ----------
    volume : Volume
        Any.
    path : Path
        Where to write.
    """
    import tifffile

    data, axes = np.asarray(volume.data), volume.axes.upper()
    header: Any = None
    if volume.source and volume.source.format == "image":
        header = volume.source.header
    header = header if isinstance(header, dict) and "kind" in header else {}
    options: dict[str, Any] = {}
    if volume.rgb:
        data = data.astype(np.uint8) if data.dtype == bool else data
        options["photometric"] = "rgb" if data.shape[-1] in (3, 4) else "minisblack"
        if data.shape[-1] == 4:
            options["extrasamples"] = ["unassalpha"]
    else:
        options["photometric"] = "minisblack"
    text = history.as_text(volume)
    z, y, x = ([1.0] * 3 + list(volume.spacing))[-3:]
    known = volume.unit in ("um", "mm")
    if axes in ("YX", "YXS") and not known:
        options["metadata"] = None
        if text:
            options["description"] = text
        if header.get("resolution"):
            options["resolution"], options["resolutionunit"] = header["resolution"]
    elif (
        data.dtype.name in _IMAGEJ_DTYPES
        and (not volume.rgb or data.dtype == np.uint8)
        and "S" not in axes.removesuffix("S")
        and data.nbytes < _LARGEST_IMAGEJ
        and header.get("kind") != "ome"
    ):
        if axes[0] == "C" and "Z" in axes:  # ImageJ knows one order only: T Z C Y X S
            data, axes = np.moveaxis(data, 0, 1), axes.replace("CZ", "ZC")
        kept = header.get("metadata", {}) if header.get("kind") == "imagej" else {}
        metadata = {key: kept[key] for key in _IMAGEJ_KEPT if key in kept}
        metadata |= {"axes": axes, "spacing": z, "unit": volume.unit}
        if volume.time_step:
            metadata["finterval"] = volume.time_step
        if text:
            metadata["Info"] = "\n".join(filter(None, [metadata.get("Info"), text]))
        options |= {"imagej": True, "metadata": metadata, "resolution": (1 / x, 1 / y)}
    elif data.dtype.name in _OME_DTYPES:
        metadata = {"axes": axes, "Name": volume.name}
        for letter, size in zip("XYZ", (x, y, z), strict=True):
            if known and (letter in axes):
                metadata[f"PhysicalSize{letter}"] = size
                metadata[f"PhysicalSize{letter}Unit"] = "µm" if volume.unit == "um" else "mm"
        if volume.time_step:
            metadata |= {"TimeIncrement": volume.time_step, "TimeIncrementUnit": "s"}
        if text:
            metadata["Description"] = text
        options |= {"ome": True, "metadata": metadata}
    else:
        metadata = {"axes": axes, "spacing": [z, y, x], "unit": volume.unit}
        metadata |= {"time_step": volume.time_step, history.KEY: text}
        options["metadata"] = metadata
    tifffile.imwrite(path, data, **options)


def _arrange(path: Path, data: np.ndarray, axes: str) -> tuple[np.ndarray, str]:
    """Bring tifffile's axes to the order of a Volume's, and drop those of length one."""
    keep = [i for i, letter in enumerate(axes) if letter in "YX" or data.shape[i] > 1]
    data, axes = data.reshape([data.shape[i] for i in keep]), "".join(axes[i] for i in keep)
    if "S" in axes and data.shape[axes.index("S")] not in (3, 4) and "C" not in axes:
        axes = axes.replace("S", "C")
    for letter in axes:
        if letter not in "TCZYXS" and "Z" not in axes:
            axes = axes.replace(letter, "Z")
    order = [axes.find(letter) for letter in "TCZYXS" if letter in axes]
    if len(order) != data.ndim or ("T" in axes and "C" in axes):
        raise FileReadError(
            f"{path} has the axes {axes} with shape {data.shape}. Expected y and x with z, "
            "colour and either time or channels; save one channel or one time point first."
        )
    named = "".join(letter for letter in "TCZYXS" if letter in axes).lower()
    data = np.ascontiguousarray(data.transpose(order))
    return data.astype(data.dtype.newbyteorder("="), copy=False), named


def _metadata(file: Any, kind: str) -> dict[str, Any]:
    if kind == "imagej":
        return dict(file.imagej_metadata or {})
    if kind == "ome":
        root = ElementTree.fromstring(file.ome_metadata)
        pixels = root.find(".//{*}Pixels")
        return dict(pixels.attrib) if pixels is not None else {}
    shaped: dict[str, Any] = (file.shaped_metadata or ({},))[0]
    return {key: shaped[key] for key in ("spacing", "unit", "time_step") if key in shaped}


def _resolution(page: Any) -> tuple[Any, int] | None:
    """Return pixels per unit along x and y, and the unit's number, as tifffile takes them."""
    tags = [page.tags.get(name) for name in ("XResolution", "YResolution")]
    if None in tags or any(0 in tag.value for tag in tags):
        return None
    x, y = ((int(tag.value[0]), int(tag.value[1])) for tag in tags)
    return (x, y), int(page.resolutionunit)


def _spacing(header: dict[str, Any]) -> tuple[list[float], str, float | None]:
    """Return the spacing along z, y, x, its unit, and the time step in seconds."""
    kind, metadata = header["kind"], header["metadata"]
    if kind == "ome":
        unit = _UNITS.get(metadata.get("PhysicalSizeXUnit", "µm"), ("pixel", 1.0))[0]
        if "PhysicalSizeX" not in metadata:
            unit = "pixel"
        spacing = [_ome_size(metadata, letter, unit) for letter in "ZYX"]
        step = float(metadata.get("TimeIncrement", 0))
        step *= _SECONDS.get(metadata.get("TimeIncrementUnit", "s"), 0.0)
    elif kind == "imagej":
        unit, factor = _UNITS.get(str(metadata.get("unit", "")), ("pixel", 1.0))
        x, y = header["resolution"][0] if header["resolution"] else ((1, 1), (1, 1))
        spacing = [float(metadata.get("spacing", 1.0)), y[1] / y[0], x[1] / x[0]]
        spacing = [abs(size) * factor for size in spacing]
        step = float(metadata.get("finterval", 0))
        step *= _SECONDS.get(str(metadata.get("tunit", "s")), 1.0)
    else:
        spacing = [float(size) for size in metadata.get("spacing", (1, 1, 1))]
        unit, step = metadata.get("unit", "pixel"), float(metadata.get("time_step") or 0)
    spacing = [size if np.isfinite(size) and size > 0 else 1.0 for size in spacing]
    return spacing, unit, step if step > 0 else None


def _ome_size(metadata: dict[str, Any], letter: str, unit: str) -> float:
    size = float(metadata.get(f"PhysicalSize{letter}", 1.0))
    own, factor = _UNITS.get(metadata.get(f"PhysicalSize{letter}Unit", "µm"), (unit, 1.0))
    if own != unit:
        factor *= 1e3 if (own, unit) == ("mm", "um") else 1e-3 if unit == "mm" else 1.0
    return size * factor


def _decode_elsewhere(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """Decode LZW, JPEG and others, for which tifffile wants a package of its own."""
    import SimpleITK

    try:
        data = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError:
        data = np.empty(0)
    if data.size != np.prod(shape) or data.dtype != dtype.newbyteorder("="):
        raise FileReadError(
            f"{path} is compressed in a way that needs another package. "
            "Install it with: pip install imagecodecs"
        )
    return np.asarray(data.reshape(shape))
