"""PNG, JPEG and BMP pictures; the door to TIFF."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..volume import Source, Volume
from . import history
from .reading import reading

_PNG_DTYPES = ("bool", "uint8", "uint16")
# What a PNG file says about itself beside its pixels, as Pillow calls it.
_KEPT = ("dpi", "icc_profile", "gamma")


def read_image(path: Path) -> Volume:
    """Read a TIFF, PNG, JPEG or BMP file into memory.

    Pictures with a palette become colour, CMYK becomes RGB. Pictures of one bit are
    bool, PNG of 16 bits uint16; grey with transparency becomes RGBA unless every
    pixel is opaque. JPEG pictures are turned upright as their EXIF entry says.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Volume
        Axes yx or yxs; TIFF files more, see :func:`napari_dran.files.tiff.read_tiff`.

    Raises
    ------
    FileReadError
        The file is damaged.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        from .tiff import read_tiff

        return read_tiff(path)
    with reading(path, "a picture"):
        data, info = _read_wide_png(path) if _is_wide_png(path) else _read_picture(path)
    axes = "yx" if data.ndim == 2 else "yxs"
    return Volume(data, axes, name=path.stem, source=Source("image", path, info, affine=np.eye(4)))


def write_image(volume: Volume, path: Path) -> None:
    """Write a TIFF or PNG file.

    PNG keeps a PNG source's text, resolution and colour profile; the history goes
    into the text "napari-dran" (not for colour of 16 bits). It has no room for the
    spacing.

    Parameters
    ----------
    volume : Volume
        For PNG one 2-D image, grey or colour, of bool (grey only), uint8 or uint16; or
        labels: grey integers of 32 or 64 bits from 0 to 65535, which become uint16.
    path : Path
        Where to write; ends in .tif, .tiff or .png.

    Raises
    ------
    InputError
        The format cannot hold this volume.
    """
    if path.suffix.lower() != ".png":
        from .tiff import write_tiff

        return write_tiff(volume, path)
    data = np.asarray(volume.data)
    plane = 3 if volume.rgb else 2
    if any(n > 1 for n in data.shape[:-plane]):
        raise InputError(
            f"A PNG file holds one 2-D image, this volume has shape {volume.shape} "
            f"(axes {volume.axes}). Write .tif or .nii.gz instead, or select one slice."
        )
    data = data.reshape(data.shape[-plane:])
    samples = volume.shape[-1] if volume.rgb else 1
    if data.dtype.kind in "iu" and data.dtype.itemsize > 2 and not volume.rgb:
        data = _labels(data)
    if data.dtype.name not in _PNG_DTYPES or (volume.rgb and data.dtype == bool):
        raise InputError(
            f"A PNG file holds uint8 or uint16, this image is {data.dtype}. "
            "Write .tif or .nii.gz instead, which keep every value."
        )
    if samples not in (1, 3, 4):
        raise InputError(
            f"A PNG file holds 3 or 4 colour samples, this image has {samples}. Write .tif instead."
        )
    if volume.rgb and data.dtype == np.uint16:
        _write_wide_png(data, path)
    else:
        _write_png(volume, np.ascontiguousarray(data), path)
    return None


def _labels(data: np.ndarray) -> np.ndarray:
    """Return labels in 16 bits."""
    low, high = data.min(), data.max()
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(
            f"A PNG file holds numbers from 0 to 65535, these {data.dtype} go from {low} to {high}."
            " Write .tif or .nii.gz instead, which keep every value."
        )
    return data.astype(np.uint16)


def _read_picture(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        # Whole-slide pictures are larger than Pillow thinks wise.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as file:
            info = {"format": file.format, "text": dict(getattr(file, "text", {}))}
            info |= {key: file.info[key] for key in _KEPT if key in file.info}
            upright = ImageOps.exif_transpose(file)
            return _array(upright), info


def _array(image: Any) -> np.ndarray:
    mode: str = image.mode
    if mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
        clear = mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if clear else "RGB")
    elif mode in ("LA", "La"):
        opaque = image.getchannel("A").getextrema()[0] == 255
        image = image.convert("L" if opaque else "RGBA")
    data = np.asarray(image)
    if mode == "I" and image.format == "PNG":
        data = data.astype(np.uint16)  # older Pillow hands 16 bits over in 32
    return np.array(data.astype(data.dtype.newbyteorder("="), copy=False))


def _write_png(volume: Volume, data: np.ndarray, path: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    source = volume.source.header if volume.source and volume.source.format == "image" else None
    info: dict[str, Any] = source if isinstance(source, dict) else {}
    text = PngInfo()
    earlier = dict(info.get("text", {}))
    done = history.as_text(volume, earlier.pop(history.KEY, ""))
    for key, value in earlier.items():
        text.add_itxt(key, value) if not value.isascii() else text.add_text(key, value)
    if done:
        text.add_text(history.KEY, done)
    kept = {key: info[key] for key in ("dpi", "icc_profile") if key in info}
    Image.fromarray(data).save(path, pnginfo=text, **kept)


def _is_wide_png(path: Path) -> bool:
    """Whether a file is PNG of 16 bits with colour or alpha, of which Pillow drops eight."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[24:25] == b"\x10" and head[25] != 0


def _read_wide_png(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    import SimpleITK

    data = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    if data.ndim == 3 and data.shape[-1] == 2:
        grey, alpha = data[..., 0], data[..., 1]
        if np.all(alpha == np.iinfo(alpha.dtype).max):
            return np.ascontiguousarray(grey), {"format": "PNG"}
        data = np.stack([grey, grey, grey, alpha], axis=-1)
    return data, {"format": "PNG"}


def _write_wide_png(data: np.ndarray, path: Path) -> None:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(data), isVector=True)
    SimpleITK.WriteImage(image, str(path))
