"""Labels made up for DICOM series, and where the voxels of a DICOM segmentation lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from scipy.spatial import cKDTree

from napari_dran import Volume

KNEE = "dicom_series_seg3d_MR"


def labels_of(volume: Volume) -> Volume:
    """Three objects of uneven shape that touch the edges of the image, numbers 1, 2 and 5."""
    data = np.zeros(volume.spatial_shape, np.int32)
    rows, columns = data.shape[-2:]
    data[..., : rows // 3, : columns // 4] = 1
    data.reshape(-1, rows, columns)[-1, rows // 2 :, columns // 2 :] = 2
    data[..., rows // 2, 5:9] = 5
    return volume.with_data(data, axes=volume.spatial_axes)


def world(labels: Volume, number: int) -> np.ndarray:
    """x, y, z in mm of every voxel of an object, by the volume's affine."""
    data = labels.data if labels.data.ndim == 3 else labels.data[np.newaxis]
    index = np.argwhere(data == number)
    factor = 1e-3 if labels.unit == "um" else 1.0
    return factor * (np.c_[index, np.ones(len(index))] @ labels.affine.T)[:, 2::-1]


def written_world(seg: Any, segment: int) -> np.ndarray:
    """x, y, z in mm of every pixel of a segment, by what the file says frame by frame."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    rows_apart, columns_apart = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    points = []
    for frame, picture in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        holder = frame if "SegmentIdentificationSequence" in frame else shared
        if holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber != segment:
            continue
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        row, column = np.nonzero(picture)
        points.append(
            position
            + np.outer(column * columns_apart, cosines[:3])
            + np.outer(row * rows_apart, cosines[3:])
        )
    return np.concatenate(points) if points else np.empty((0, 3))


def assert_same_place(labels: Volume, path: Path) -> None:
    seg = pydicom.dcmread(path)
    numbers = np.unique(labels.data[labels.data > 0]).tolist()
    assert len(seg.SegmentSequence) == len(numbers)
    for segment, number in enumerate(numbers, start=1):
        expected, found = world(labels, number), written_world(seg, segment)
        assert len(expected) == len(found) > 0
        assert cKDTree(found).query(expected)[0].max() < 1e-3
        assert cKDTree(expected).query(found)[0].max() < 1e-3
