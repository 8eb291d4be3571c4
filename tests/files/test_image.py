"""TIFF, PNG, JPEG and BMP."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from napari_dran import FileReadError, InputError, Volume
from napari_dran.files import read_volume, write_volume

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 255, (12, 14), np.uint8)
COLOUR = RNG.integers(0, 255, (12, 14, 3), np.uint8)
WIDE = RNG.integers(0, 65535, (12, 14), np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("data", [GREY, COLOUR], ids=["grey", "colour"])
def test_pictures(suffix, data, tmp_path):
    Image.fromarray(data).save(tmp_path / f"a{suffix}")
    volume = read_volume(tmp_path / f"a{suffix}")
    assert (volume.axes, volume.unit, volume.name) == ("yxs"[: data.ndim], "pixel", "a")
    np.testing.assert_array_equal(volume.data, data)
    assert volume.data.flags.writeable


def test_jpeg_is_turned_upright(tmp_path):
    smooth = np.add.outer(np.arange(24), np.arange(16) * 4).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=100, exif=exif)
    volume = read_volume(tmp_path / "a.jpg")
    np.testing.assert_allclose(volume.data, np.rot90(smooth, -1), atol=3)


@pytest.mark.parametrize(
    ("mode", "axes", "dtype"),
    [("1", "yx", "bool"), ("P", "yxs", "uint8"), ("LA", "yxs", "uint8"), ("RGBA", "yxs", "uint8"),
     ("I;16", "yx", "uint16")],
)  # fmt: skip
def test_png_modes(mode, axes, dtype, tmp_path):
    picture = Image.fromarray(WIDE) if mode == "I;16" else Image.fromarray(COLOUR).convert(mode)
    if mode == "LA":
        picture.putalpha(Image.fromarray(GREY))
    picture.save(tmp_path / "a.png")
    volume = read_volume(tmp_path / "a.png")
    assert (volume.axes, volume.dtype) == (axes, np.dtype(dtype))
    if mode == "I;16":
        np.testing.assert_array_equal(volume.data, WIDE)
    elif mode in ("P", "LA"):
        expected = np.asarray(picture.convert("RGB" if mode == "P" else "RGBA"))
        np.testing.assert_array_equal(volume.data, expected)
    else:
        np.testing.assert_array_equal(volume.data, np.asarray(picture))
    again = read_volume(write_volume(volume, tmp_path / "b.png"))
    np.testing.assert_array_equal(again.data, volume.data)
    assert again.dtype == volume.dtype


def test_opaque_grey(tmp_path):
    Image.fromarray(GREY).convert("LA").save(tmp_path / "a.png")
    assert read_volume(tmp_path / "a.png").axes == "yx"


@pytest.mark.parametrize("samples", [3, 4])
def test_png_of_16_bits_in_colour(samples, tmp_path):
    data = RNG.integers(0, 65535, (12, 14, samples), np.uint16)
    volume = Volume(data, "yxs")
    again = read_volume(write_volume(volume, tmp_path / "a.png"))
    np.testing.assert_array_equal(again.data, data)


def test_png_text_is_kept(tmp_path):
    text = PngInfo()
    text.add_text("Author", "somebody")
    text.add_itxt("Titel", "Schädel")
    Image.fromarray(GREY).save(tmp_path / "a.png", pnginfo=text, dpi=(300, 300))
    volume = read_volume(tmp_path / "a.png")
    write_volume(volume.with_data(volume.data, history=({"version": "1"},)), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert image.text["Author"] == "somebody"
        assert image.text["Titel"] == "Schädel"
        assert image.text["napari-dran"] == '{"version": "1"}'
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(
    ("volume", "words"),
    [(Volume(GREY.astype("float32")), r"float32.*\.tif or \.nii\.gz"),
     (Volume(GREY.astype("int16")), r"int16.*\.tif"),
     (Volume(np.stack([GREY] * 5)), r"one 2-D image.*\(5, 12, 14\).*\.nii\.gz"),
     (Volume(np.stack([GREY] * 2), "cyx"), "one 2-D image")],
    ids=["float", "signed", "stack", "channels"],
)  # fmt: skip
def test_png_says_no(volume, words, tmp_path):
    with pytest.raises(InputError, match=words):
        write_volume(volume, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_png_of_a_volume_of_one_slice(tmp_path):
    path = write_volume(Volume(GREY[None], "zyx"), tmp_path / "a.png")
    np.testing.assert_array_equal(read_volume(path).data, GREY)


AXES = ("yx", "zyx", "tzyx", "tyx", "cyx", "czyx", "yxs", "zyxs", "tzyxs")
DTYPES = ("bool", "uint8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64")


@pytest.mark.parametrize("unit", ["pixel", "um", "mm"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", AXES)
def test_tiff_round_trip(axes, dtype, unit, tmp_path):
    lengths = {"t": 3, "c": 2, "z": 5, "y": 12, "x": 14, "s": 3}
    data = RNG.normal(0, 99, [lengths[letter] for letter in axes]).astype(dtype)
    step = 0.25 if axes[0] == "t" else None
    volume = Volume(data, axes, np.diag([2.5, 0.9, 0.7, 1]), unit, time_step=step)
    again = read_volume(write_volume(volume, tmp_path / "a.tif"))
    assert (again.axes, again.unit, again.time_step) == (axes, unit, step)
    assert again.dtype == ("uint8" if dtype == "bool" and "s" in axes else dtype)
    np.testing.assert_array_equal(again.data, data)
    if unit != "pixel":
        np.testing.assert_allclose(again.spacing, volume.spacing, rtol=1e-8)
    # An independent reader sees the same values in some order of axes.
    np.testing.assert_array_equal(
        np.sort(tifffile.imread(tmp_path / "a.tif"), None), np.sort(data, None)
    )


def test_imagej_file(tmp_path):
    data = RNG.integers(0, 999, (3, 5, 12, 14), np.uint16)
    metadata = {"axes": "TZYX", "spacing": 2.0, "unit": "micron", "finterval": 1.5,
                "min": 10.0, "max": 500.0, "Info": "objective 40x"}  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, resolution=(4, 2), metadata=metadata)
    volume = read_volume(tmp_path / "a.tif")
    assert (volume.axes, volume.unit, volume.time_step) == ("tzyx", "um", 1.5)
    assert volume.spacing == (2, 0.5, 0.25)
    changed = volume.with_data(volume.data, history=({"version": "1"},))
    with tifffile.TiffFile(write_volume(changed, tmp_path / "b.tif")) as file:
        written = file.imagej_metadata
        assert (written["min"], written["max"]) == (10, 500)
        assert written["Info"] == 'objective 40x\n{"version": "1"}'
        np.testing.assert_array_equal(file.asarray(), data)


def test_ome_file(tmp_path):
    data = RNG.integers(0, 999, (2, 5, 12, 14), np.uint16)
    metadata = {"axes": "CZYX", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm",
                "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 0.002,
                "PhysicalSizeZUnit": "mm"}  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata=metadata)
    volume = read_volume(tmp_path / "a.ome.tif")
    assert (volume.axes, volume.unit, volume.name) == ("czyx", "um", "a")
    np.testing.assert_allclose(volume.spacing, (2, 0.5, 0.25))
    with tifffile.TiffFile(write_volume(volume, tmp_path / "b.ome.tif")) as file:
        assert file.is_ome
        np.testing.assert_array_equal(file.asarray(), data)


def test_plain_tiff_keeps_its_dots_per_inch(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", COLOUR, resolution=(300, 300), resolutionunit="INCH")
    volume = read_volume(tmp_path / "a.tif")
    assert (volume.unit, volume.spacing) == ("pixel", (1, 1))
    with tifffile.TiffFile(write_volume(volume, tmp_path / "b.tif")) as file:
        assert file.pages[0].resolution == (300, 300)
        assert file.pages[0].resolutionunit == 2


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate"])
def test_tiff_compressions(compression, tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.tif", compression=compression)
    data = read_volume(tmp_path / "a.tif").data
    if compression == "jpeg":
        assert data.shape == COLOUR.shape
    else:
        np.testing.assert_array_equal(data, COLOUR)


def test_tiff_pages_planes_and_palettes(tmp_path):
    for page in (GREY, GREY + 1, GREY + 2):
        tifffile.imwrite(tmp_path / "pages.tif", page, append=True, metadata=None)
    volume = read_volume(tmp_path / "pages.tif")
    assert (volume.axes, volume.shape) == ("zyx", (3, 12, 14))
    planes = np.moveaxis(COLOUR, -1, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_volume(tmp_path / "planes.tif").data, COLOUR)
    colours = np.stack([np.arange(256) * 256, np.arange(256), np.full(256, 65535)]).astype("u2")
    tifffile.imwrite(
        tmp_path / "palette.tif", GREY, photometric="palette", colormap=colours, metadata=None
    )
    volume = read_volume(tmp_path / "palette.tif")
    np.testing.assert_array_equal(volume.data[..., 0], GREY)
    assert np.all(volume.data[..., 2] == 255)


def test_too_many_axes(tmp_path):
    data = np.zeros((2, 3, 4, 12, 14), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "TZCYX"})
    with pytest.raises(FileReadError, match=r"axes TZCYX.*save one channel"):
        read_volume(tmp_path / "a.tif")


def test_damaged(tmp_path):
    for suffix in (".tif", ".png", ".jpg", ".bmp"):
        Image.fromarray(COLOUR).save(tmp_path / f"a{suffix}")
        content = (tmp_path / f"a{suffix}").read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(content[: len(content) // 3])
        (tmp_path / f"junk{suffix}").write_bytes(b"this is no image\n" * 10)
        for name in (f"cut{suffix}", f"junk{suffix}"):
            with pytest.raises(FileReadError, match=f"Could not read .*{name}") as caught:
                read_volume(tmp_path / name)
            assert "\n" not in str(caught.value)
