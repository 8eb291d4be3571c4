"""What the page says of segmentation and detection: from CSV files of known numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training.benchmark import analysis_images, detection, nuclei, segmentation
from training.benchmark.analysis_figures import (
    GAP,
    WIDE,
    chosen_slices,
    draw_boxes,
    draw_outlines,
)
from training.benchmark.analysis_images import Denoiser
from training.benchmark.analysis_scores import KEYS
from training.benchmark.analysis_tables import Measured
from training.benchmark.labelled_images import Case
from training.benchmark.page import shipped_weights, weights_section
from training.benchmark.rows import Table

from napari_dran.weights import list_weights

SLICES = 20
DICE = {"noisy": {0: 0.9, 10: 0.89, 25: 0.7, 50: 0.3}, "dran": {10: 0.9, 25: 0.85, 50: 0.75}}


def slice_name(number: int) -> str:
    return f"lgg/p{number % 5}_{number}.png"


def write_segmentation(results: Path, name: str, network: str, dice: dict[int, float]) -> None:
    """Write rows of 20 slices of 5 patients, the last two without a tumour."""
    table = Table(results / f"segmentation/{name}.csv", KEYS)
    slope = 2e-4 if name == "dran" else 1e-4
    for sigma, mean in dice.items():
        for number in range(SLICES):
            tumour = number < SLICES - 2
            table.add(
                {
                    "image": slice_name(number),
                    "group": f"p{number % 5}",
                    "sigma": float(sigma),
                    "network": network,
                    "dice": mean + (number - 8.5) * slope * sigma if tumour else 0.0,
                    "iou": mean - 0.1,
                    "hausdorff": 362.0 if number == 0 else 5.0,
                    "true": 300 if tumour else 0,
                    "found": 0 if number == 0 else 290,
                    "weights": "abc",
                }
            )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, dice in DICE.items():
        write_segmentation(tmp_path, name, "unet", dice)
    return tmp_path


def test_page_has_no_section_before_anything_is_measured(tmp_path: Path) -> None:
    for module in (analysis_images, segmentation, detection, nuclei):
        assert module.tables(tmp_path) == ""


def test_segmentation_says_what_is_lost_and_recovered(results: Path) -> None:
    text = segmentation.tables(results)
    assert "On clean images the Dice is 0.900; at least 0.80 is expected, which is reached." in text
    assert "sigma 50 leaves 0.300, and DRAN brings it to 0.750, 75 % [" in text
    assert "70 % are expected back, which is reached" in text
    row = [line for line in text.splitlines() if line.startswith("| DRAN")][2]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "20"
    assert cells[2].startswith("0.750 [0.7")
    assert cells[3:7] == ["0.650", "24.8", "0.06", "1.00"]
    assert cells[7].startswith("75 % [")
    # Noise of sigma 10 takes 0.01: no share of so little.
    assert "sigma 10 leaves 0.890, and DRAN brings it to 0.900. " in text
    assert "#### Or train the network with noise" not in text
    assert "images/evidence/figure-10-segmentation.png" in text


def test_bars_that_are_missed_are_said_to_be(tmp_path: Path) -> None:
    write_segmentation(tmp_path, "noisy", "unet", {0: 0.7, 50: 0.3})
    write_segmentation(tmp_path, "dran", "unet", {50: 0.5})
    text = segmentation.tables(tmp_path)
    assert "at least 0.80 is expected, which is not reached" in text
    assert "50 % [" in text
    assert "70 % are expected back, which is not reached" in text


def test_network_trained_with_noise_is_compared_with_denoising(results: Path) -> None:
    write_segmentation(results, "noisy", "unet-noise", {0: 0.86, 10: 0.86, 25: 0.84, 50: 0.8})
    text = segmentation.tables(results)
    assert "#### Or train the network with noise" in text
    assert "On clean images training with noise changes the Dice by -0.040 [" in text
    assert "At sigma 50 it gives **+0.050** [" in text
    assert "At sigma 25 it gives -0.010 [" in text


def test_methods_are_compared_on_the_images_of_both(results: Path) -> None:
    table = Table(results / "segmentation/bm3d.csv", KEYS)
    measured = Measured.read(results / "segmentation")
    rows = measured.rows["dran", "unet", 50.0]
    for number in (1, 4, 11):
        row = rows[slice_name(number)]
        table.add({**row, "dice": float(row["dice"]) + 0.1})
    text = segmentation.tables(results)
    assert "| BM3D, told sigma | 3 | 0.8" in text
    assert "| BM3D, told sigma |  |  | -0.100 [-0.100, -0.100] |" in text
    assert "DRAN is worse than BM3D at 50." in text
    again = Measured.read(results / "segmentation")
    share = again.recovered(segmentation.DICE, "bm3d", "unet", 50.0)
    assert share is not None
    assert share.count == 3


def test_page_says_whether_all_is_measured(results: Path) -> None:
    assert "still to" not in analysis_images.tables(results)
    rows = Measured.read(results / "segmentation").rows["dran", "unet", 50.0]
    Table(results / "segmentation/bm3d.csv", KEYS).add(rows[slice_name(3)])
    assert "is still to\nbe finished" in analysis_images.tables(results)


def test_verdicts_are_told_by_method(results: Path) -> None:
    # Scores differ from slice to slice, so that with the same mean the interval holds zero.
    for name, less in (("nlm", 0.1), ("bm3d", 0.0), ("dran-same", 0.1)):
        levels = {sigma: dice - less for sigma, dice in DICE["dran"].items()}
        write_segmentation(results, name, "unet", levels)
    text = segmentation.tables(results)
    assert (
        "better than non-local means at 10, 25 and 50, DRAN with the same training at 10, 25 and "
        "50; level with BM3D at 10, 25 and 50."
    ) in text


def test_half_measured_means_are_not_put_beside_whole_ones(results: Path) -> None:
    write_segmentation(results, "noisy", "unet-noise", {0: 0.86, 50: 0.8})
    row = Measured.read(results / "segmentation").rows["noisy", "unet-noise", 50.0][slice_name(2)]
    Table(results / "segmentation/dran.csv", KEYS).add(row)
    lines = segmentation.tables(results).splitlines()
    (line,) = [line for line in lines if line.startswith("| trained with noise, denoised by DRAN")]
    assert set(line.partition("DRAN")[2]) == {" ", "|"}


def test_weights_of_networks_that_are_not_shipped_are_not_missed(results: Path) -> None:
    path = results / "segmentation/dran.csv"
    row = Measured.read(path.parent).rows["dran", "unet", 50.0][slice_name(0)]
    Table(path, KEYS).add({**row, "weights": "aaa+bbb"})
    Table(path, KEYS).add({**row, "network": "unet-noise", "weights": "aaa+ccc"})
    assert set().union(*shipped_weights(path)) == {"abc", "aaa", "bbb"}
    other = path.rename(path.with_name("dncnn.csv"))
    assert set().union(*shipped_weights(other)) == {"abc", "bbb"}


def test_the_page_says_how_many_rows_are_of_earlier_weights(results: Path) -> None:
    for path in results.glob("*/*.csv"):
        path.unlink()
    now = next(card.sha256[:12] for card in list_weights(None) if card.name == "dran-grey")
    table = Table(results / "flat-field/dran.csv", ("image", "sigma", "weights"))
    table.add({"image": "a", "sigma": "10", "weights": now})
    assert "earlier weights" not in weights_section(results)
    table.add({"image": "b", "sigma": "10", "weights": "aaa"})
    assert "`flat-field/dran.csv` (1 of 2 rows)." in weights_section(results)


def write_objects(results: Path, experiment: str, name: str, cells: dict[int, str]) -> None:
    """Write rows of two images with one object each; ``cells`` are the matches at a sigma."""
    table = Table(results / experiment / f"{name}.csv", KEYS)
    for sigma, matches in cells.items():
        for number in range(2):
            row = {
                "image": f"{experiment}/{number}.png",
                "group": str(number),
                "sigma": float(sigma),
                "network": "mask-rcnn",
                "objects": 1,
                "found": 1,
            }
            scores: dict[str, object] = {"boxes": matches, "masks": matches, "box_iou": 0.6}
            if experiment == "nuclei":
                scores = {"masks": matches, "dice": 0.9, "aji": 0.6}
            table.add({**row, **scores, "weights": "abc"})


def test_detection_says_its_precision(tmp_path: Path) -> None:
    hit, half, miss = "0.9:1111111111", "0.9:1111100000", "0.9:0000000000"
    write_objects(tmp_path, "detection", "noisy", {0: hit, 50: miss})
    write_objects(tmp_path, "detection", "dran", {50: half})
    text = detection.tables(tmp_path)
    (row,) = [line for line in text.splitlines() if line.startswith("| DRAN")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == [
        "2", "1.000 [1.000, 1.000]", "0.500", "1.000", "0.500", "0.600", "100 % [100, 100]",
    ]  # fmt: skip
    assert "On clean images the AP50 of boxes is 1.000; at least 0.65 is expected" in text


def test_nuclei_have_a_table_a_network(tmp_path: Path) -> None:
    write_objects(tmp_path, "nuclei", "noisy", {0: "0.9:1", 50: "0.9:0 0.8:1"})
    write_objects(tmp_path, "nuclei", "dran", {50: "0.9:1"})
    text = nuclei.tables(tmp_path)
    assert "#### Mask R-CNN" in text
    assert "#### U-Net" not in text
    assert "| noisy | 2 | 0.500 | 0.900 [0.900, 0.900] | 0.600 [0.600, 0.600] |  |" in text
    assert "| 100 % |" in text
    assert "| 100 % [" not in text


def case_of(number: int) -> Case:
    y, x = np.mgrid[:48, :48] / 48
    pixels = np.stack([y, x, x * y], -1).astype(np.float32)
    labels = np.zeros((48, 48), np.int32)
    labels[10:30, 12:28] = 1
    return Case(slice_name(number), f"p{number % 5}", pixels, labels)


def test_slices_are_chosen_by_a_rule(results: Path) -> None:
    measured = Measured.read(results / "segmentation")
    images = [case_of(number) for number in range(SLICES)]
    found = chosen_slices(measured, "unet", segmentation.DICE, images)
    # Denoising brings the more, the higher the number.
    assert [case.name for case in found] == [slice_name(number) for number in (4, 8, 13)]
    nothing = Measured({})
    assert chosen_slices(nothing, "unet", segmentation.DICE, images) == []


@pytest.mark.parametrize("denoisers", [("dran",), ("dran", "bm3d")])
def test_figures_show_truth_in_green_and_what_is_found_in_red(
    tmp_path: Path, denoisers: tuple[str, ...]
) -> None:
    images = [case_of(1), case_of(2)]
    # One of BM3D's images is there in any case, but that is not enough for a column.
    for name, case in [("bm3d", images[0]), *((n, c) for n in denoisers for c in images)]:
        path = Denoiser(name, tmp_path).path(case, 50)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, case.pixels.astype(np.float16))

    def mask(image: np.ndarray) -> np.ndarray:
        found = np.zeros(image.shape[:2], bool)
        found[15:40, 15:40] = True
        return found

    draw_outlines(images, mask, tmp_path / "outlines.png", tmp_path)
    draw_boxes(
        images,
        lambda image: [((15.0, 15.0, 40.0, 40.0), 0.9)] if image.min() >= 0 else [],
        detection.true_objects,
        tmp_path / "boxes.png",
        tmp_path,
    )
    columns = 2 + len(denoisers)
    # The detector finds nothing in the noisy images.
    for name, found in (("outlines", columns), ("boxes", columns - 1)):
        picture = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)
        parts = np.array_split(picture, columns, axis=1)
        green = [(p[..., 1] - p[..., [0, 2]].max(-1)).max() for p in parts]
        red = [(p[..., 0] - p[..., 1:].max(-1)).max() for p in parts]
        assert min(green) > 90
        assert sum(value > 90 for value in red) == found
        assert picture.shape[1] / 110 == pytest.approx(columns * (WIDE + GAP) - GAP, abs=0.02)
