"""The images to measure on are read on their own scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_dran.errors import FileReadError, InputError
from napari_dran.training.corpus import corpus_files, read_image


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_evaluation_reads_pngs_on_their_own_scale(tmp_path: Path) -> None:
    save(tmp_path / "mri" / "a.png", np.full((5, 6), 51, np.uint8))
    save(tmp_path / "mri" / "b.png", np.full((5, 6), 13107, np.uint16))
    save(tmp_path / "skin" / "c.png", np.full((5, 6, 3), 51, np.uint8))
    save(tmp_path / "skin" / "d.png", np.full((5, 6, 4), 51, np.uint8))
    images = [read_image(path) for path in corpus_files(tmp_path)]
    assert [i.name for i in images] == ["mri/a.png", "mri/b.png", "skin/c.png", "skin/d.png"]
    assert [i.pixels.shape for i in images] == [(1, 5, 6)] * 2 + [(3, 5, 6)] * 2
    for one in images:
        assert one.pixels.dtype == np.float32
        np.testing.assert_allclose(one.pixels, 0.2, rtol=1e-6)
    (tmp_path / "mri" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(FileReadError, match=r"a\.png"):
        read_image(tmp_path / "mri" / "a.png")
    with pytest.raises(InputError, match="modality"):
        corpus_files(tmp_path / "mri")
