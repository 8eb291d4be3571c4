"""Small DICOM files made up for tests, and real ones that pydicom brings."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from napari_dran import Volume

CT, MR, US, SC = (
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "6.1", "7")
)  # storage classes
SERIES, STUDY = generate_uid(), generate_uid()
STEP = {
    "software": "napari-dran",
    "version": "0.1.0",
    "weights": "dran-grey",
    "window": (-160.0, 240.0),
    "strength": 0.75,
}


def write_slice(path: Path, stored: np.ndarray, **tags: Any) -> Path:
    """Write a small uncompressed file; tags override those of an axial CT slice."""
    dataset = pydicom.Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": SERIES,
        "StudyInstanceUID": STUDY,
        "Modality": "CT",
        "PatientName": "Test^Case",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "BitsAllocated": 8 * stored.dtype.itemsize,
        "BitsStored": 8 * stored.dtype.itemsize,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 0],
        "PixelSpacing": [0.5, 0.5],
        "SliceThickness": 2,
    }
    for keyword, value in (values | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.HighBit = tags.get("HighBit", dataset.BitsStored - 1)
    width = "OB" if stored.dtype.itemsize == 1 else "OW"
    dataset.add_new("PixelData", width, stored.astype(stored.dtype.newbyteorder("<")).tobytes())
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_stack(folder: Path, positions: list[Any], **tags: Any) -> Path:
    """Write a series whose slice i is filled with the value i."""
    for i, position in enumerate(positions):
        per_slice = {k: v[i] if isinstance(v, list) and k != "ImageOrientationPatient" else v
                     for k, v in tags.items()}  # fmt: skip
        write_slice(
            folder / f"{i:03d}.dcm",
            np.full((8, 10), i, np.uint16),
            **{"ImagePositionPatient": list(position), "InstanceNumber": i + 1} | per_slice,
        )
    return folder


def assert_agrees(volume: Any, image: sitk.Image) -> None:
    """Check that the corners of an ITK image are the same voxels at the same place."""
    array = sitk.GetArrayFromImage(image)
    assert array.size == volume.data.size
    data = volume.data if "z" in volume.axes else volume.data[np.newaxis]
    size = image.GetSize()
    for corner in itertools.product(*((0, n - 1) for n in size)):
        x, y, z = image.TransformIndexToPhysicalPoint(corner)
        index = np.linalg.solve(volume.affine, [z, y, x, 1])[:3]
        whole = np.rint(index).astype(int)
        assert np.abs(index - whole).max() < 1e-2
        np.testing.assert_array_equal(data[tuple(whole)], array[corner[::-1]])
    # All voxels, whatever the order of axes and slices.
    np.testing.assert_array_equal(np.sort(volume.data, axis=None), np.sort(array, axis=None))


def packaged(name: str) -> Path:
    """Return a file that pydicom brings for tests."""
    path = get_testdata_file(name, download=False)
    assert path is not None, f"pydicom no longer brings {name}: choose another file"
    return Path(str(path))


def datasets(folder: Path) -> list[Any]:
    """Read all files of a folder, checking that they are valid to the letter."""
    with pydicom.config.strict_reading():
        found = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        for dataset in found:
            dataset.decode()
    return found


def read_with_simpleitk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def assert_same_place(volume: Volume, image: sitk.Image) -> None:
    """Check that SimpleITK sees the same values at the same corners of the world."""
    array = sitk.GetArrayFromImage(image)
    for corner in itertools.product(*((0, n - 1) for n in image.GetSize())):
        x, y, z = image.TransformIndexToPhysicalPoint(corner)
        index = np.linalg.solve(volume.affine, [z, y, x, 1])[:3]
        whole = np.rint(index).astype(int)
        assert np.abs(index - whole).max() < 1e-2
        np.testing.assert_allclose(array[corner[::-1]], volume.data[tuple(whole)], rtol=1e-5)
