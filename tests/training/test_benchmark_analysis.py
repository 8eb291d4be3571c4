"""Segmentation and detection measured on a few small pieces, by tiny networks."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training.benchmark import analysis_images, detection, nuclei, segmentation
from training.benchmark.analysis_images import Denoiser
from training.benchmark.analysis_scores import KEYS
from training.benchmark.labelled_images import FOLDERS, SIGMAS, cases
from training.benchmark.rows import Table, read

from napari_dran.analysis import Segmenter
from napari_dran.errors import InputError
from napari_dran.network.dran import DRAN
from napari_dran.network.mask_rcnn import PROPOSALS, MaskRCNN
from napari_dran.network.unet import UNet
from napari_dran.weights import Card, save_weights

PIECE = {"lgg": (slice(50, 114), slice(64, 128)), "nuclei": (slice(0, 48), slice(0, 64))}
INPUTS = ("pre-contrast MR", "FLAIR", "post-contrast MR")
DECODER = [8, 8, 8, 8, 8]


@pytest.fixture(scope="module")
def pieces(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut pieces out of three slices of two patients, and of two micrographs."""
    root = tmp_path_factory.mktemp("corpus")
    for kind, folder in FOLDERS.items():
        with (corpus / folder / "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        labels = "mask" if "mask" in rows[0] else "labels"
        if kind == "lgg":
            other = next(row for row in rows if row["patient"] != rows[0]["patient"])
            few = [*rows[1:3], other]
        else:
            few = [next(row for row in rows if kind in row["group"]) for kind in ("flu", "his")]
        for row in few:
            for path in (row["image"], row[labels]):
                pixels = np.asarray(Image.open(corpus / folder / path))[PIECE[kind]]
                (root / folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(root / folder / path)
        with (root / folder / "manifest.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(few[0]))
            table.writeheader()
            table.writerows(few)
    return root


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Networks that have learnt nothing; "dran" is named as the shipped weights are."""
    folder = tmp_path_factory.mktemp("networks")
    made = {
        "dran": DRAN(features=8, blocks=1, layers=2),
        "unet": UNet(decoder=DECODER),
        "unet-noise": UNet(decoder=DECODER[::-1]),
        "unet-nuclei": UNet(classes=3, decoder=DECODER),
        "mask-rcnn": MaskRCNN(width=8, head=8, most=5),
        "mask-rcnn-nuclei": MaskRCNN(width=8, head=8, most=5),
    }
    for name, network in made.items():
        border = name == "unet-nuclei"
        task = {"d": "denoise", "u": "segment", "m": "detect"}[name[0]]
        save_weights(
            folder / f"{name}.safetensors",
            network,
            Card(
                name,
                {"denoise": "dran", "segment": "unet", "detect": "mask-rcnn"}[task],
                network.arguments,
                network.channels if task != "denoise" else 1,
                (0, 50) if task == "denoise" else (0, 0),
                task=task,
                classes=() if task == "denoise" else ("object", "border")[: 1 + border],
                border=border,
                inputs=() if task == "denoise" or "nuclei" in name else INPUTS,
            ),
        )
    return {name: folder / f"{name}.safetensors" for name in made}


@pytest.fixture(scope="module")
def measured(
    pieces: Path, networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Folder of results of all three experiments, and the store of denoised images."""
    results, store = tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("store")
    methods = ["noisy", "nlm", str(networks["dran"])]
    analysis_images.measure(pieces, results, methods[1:], store=store)
    brain = {name: networks[name] for name in ("unet", "unet-noise")}
    segmentation.measure(pieces, results, methods, store=store, weights=brain)
    with pytest.MonkeyPatch.context() as patch:
        # One that has learnt nothing finds something everywhere, and looks at all of it.
        patch.setitem(PROPOSALS, "testing", 10)
        finder = {"mask-rcnn": networks["mask-rcnn"]}
        detection.measure(pieces, results, methods, store=store, weights=finder)
        both = {"unet": networks["unet-nuclei"], "mask-rcnn": networks["mask-rcnn-nuclei"]}
        nuclei.measure(pieces, results, methods, store=store, weights=both)
    return results, store


def test_each_patient_has_its_turn(corpus: Path) -> None:
    found = cases(corpus, "lgg")
    assert (len(found), len({case.group for case in found})) == (100, 17)
    assert len({case.group for case in found[:17]}) == 17
    assert sum(bool(case.labels.any()) for case in found) == 83
    micrographs = cases(corpus, "nuclei")
    assert [case.pixels.ndim for case in micrographs].count(3) == 12
    assert len(micrographs) == 51


def test_each_sequence_has_noise_of_its_own(pieces: Path) -> None:
    case = cases(pieces, "lgg")[0]
    noise = case.noisy(25) - case.pixels
    assert np.array_equal(noise, case.noisy(25) - case.pixels)
    assert noise.std() == pytest.approx(25 / 255, rel=0.02)
    channels = noise.reshape(-1, 3).T
    assert np.abs(np.corrcoef(channels) - np.eye(3)).max() < 0.05
    assert np.array_equal(case.noisy(0), case.pixels)
    assert case.noisy(50).min() < 0


def test_denoised_images_are_kept(
    pieces: Path, networks: dict[str, Path], measured: tuple[Path, Path]
) -> None:
    _, store = measured
    case = cases(pieces, "lgg")[1]
    for name in ("nlm", str(networks["dran"])):
        denoiser = Denoiser(name, store)
        assert denoiser.kept(case, 50)
        kept = denoiser.load(case, 50)
        planes = [denoiser.method(plane, 50 / 255) for plane in np.moveaxis(case.noisy(50), -1, 0)]
        assert np.allclose(kept, np.clip(np.stack(planes, -1), 0, 1), atol=5e-4)
        assert denoiser.weights(case)[:12] in denoiser.path(case, 50).parts[-3]
    colour = next(case for case in cases(pieces, "nuclei") if case.pixels.ndim == 3)
    assert not Denoiser(str(networks["dran"]), store).kept(colour, 50)
    assert Denoiser("nlm", store).load(colour, 10).shape == colour.pixels.shape


def test_images_are_denoised_once_and_the_noisiest_first(
    pieces: Path, measured: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, store = measured
    rows = read(results / "analysis-images/nlm.csv")
    assert [float(row["sigma"]) for row in rows] == [s for s in SIGMAS for _ in range(5)]
    patients = [row["image"][4:16] for row in rows[:3]]
    assert patients[0] == patients[2] != patients[1]
    monkeypatch.setattr(Denoiser, "make", lambda *_: pytest.fail("denoised again"))
    analysis_images.measure(pieces, tmp_path, ["nlm"], store=store)
    assert read(tmp_path / "analysis-images/nlm.csv") == rows


def test_bm3d_is_given_three_sequences_at_once(
    pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases(pieces, "lgg")[0]
    denoiser = Denoiser("bm3d", tmp_path)
    seen: list[tuple[int, ...]] = []

    def method(image: np.ndarray, sigma: float) -> np.ndarray:
        seen.append(image.shape)
        return image

    monkeypatch.setattr(denoiser, "method", method)
    denoiser.make(case, 10.0)
    assert seen == [case.pixels.shape]


def test_rows_of_every_image_sigma_and_network(measured: tuple[Path, Path]) -> None:
    results, _ = measured
    expected = (("segmentation", 3, 2), ("detection", 3, 1), ("nuclei", 2, 2))
    for experiment, images, count in expected:
        noisy = read(results / experiment / "noisy.csv")
        assert len(noisy) == images * 4 * count
        assert len(read(results / experiment / "nlm.csv")) == images * 3 * count
        assert {len(row["weights"].split("+")) for row in noisy} == {1}
    # There are no weights for colour: the stained section is left out.
    assert len(read(results / "nuclei/dran.csv")) == 1 * 3 * 2
    weights = {row["weights"] for row in read(results / "segmentation/dran.csv")}
    assert {len(cell.split("+")) for cell in weights} == {2}


def test_scores_are_of_what_the_network_finds(
    pieces: Path, networks: dict[str, Path], measured: tuple[Path, Path]
) -> None:
    case = cases(pieces, "lgg")[0]
    rows = read(measured[0] / "segmentation/noisy.csv")
    (row,) = [
        row
        for row in rows
        if (row["image"], row["sigma"], row["network"]) == (case.name, "0", "unet")
    ]
    mask = segmentation.mask(Segmenter(networks["unet"]), case.pixels)
    truth = case.labels > 0
    assert int(row["found"]) == mask.sum()
    assert float(row["dice"]) == pytest.approx(
        2 * (mask & truth).sum() / (mask.sum() + truth.sum()), abs=1e-5
    )


def test_measuring_goes_on_with_images_that_have_been_denoised_since(
    pieces: Path, networks: dict[str, Path], measured: tuple[Path, Path], tmp_path: Path
) -> None:
    results, store = measured
    half = tmp_path / "store"
    shutil.copytree(store / "lgg/nlm/50", half / "lgg/nlm/50")
    weights = {"unet": networks["unet"]}
    segmentation.measure(pieces, tmp_path, ["nlm"], store=half, weights=weights)
    assert {row["sigma"] for row in read(tmp_path / "segmentation/nlm.csv")} == {"50"}
    segmentation.measure(pieces, tmp_path, ["nlm"], store=store, weights=weights)
    rows = [row for row in read(results / "segmentation/nlm.csv") if row["network"] == "unet"]
    assert read(tmp_path / "segmentation/nlm.csv") == rows


def test_rows_of_earlier_weights_are_replaced(
    pieces: Path, networks: dict[str, Path], measured: tuple[Path, Path], tmp_path: Path
) -> None:
    results, store = measured
    shutil.copytree(results / "segmentation", tmp_path / "segmentation")
    before = read(tmp_path / "segmentation/nlm.csv")
    # The network "unet" is another one now; "unet-noise" is not there any more.
    newer = {"unet": networks["unet-noise"]}
    segmentation.measure(pieces, tmp_path, ["nlm"], store=store, weights=newer)
    after = read(tmp_path / "segmentation/nlm.csv")
    others = [row for row in before if row["network"] == "unet-noise"]
    assert [row for row in after if row["network"] == "unet-noise"] == others
    renewed = [row for row in after if row["network"] == "unet"]
    assert len(renewed) == 3 * 3
    assert renewed == [{**row, "network": "unet"} for row in others]
    told: list[tuple[str, int, int]] = []
    segmentation.measure(
        pieces, tmp_path, ["nlm"], store=store, weights=newer, again=True,
        progress=lambda *seen: told.append(seen),
    )  # fmt: skip
    assert read(tmp_path / "segmentation/nlm.csv") == after
    assert told == [("nlm", done, 9) for done in range(1, 10)]


def test_rows_of_images_that_there_are_no_weights_for_stay(
    pieces: Path, networks: dict[str, Path], measured: tuple[Path, Path], tmp_path: Path
) -> None:
    results, store = measured
    shutil.copytree(results / "nuclei", tmp_path / "nuclei")
    path = tmp_path / "nuclei/dran.csv"
    colour = next(case for case in cases(pieces, "nuclei") if case.pixels.ndim == 3)
    row = next(row for row in read(path) if row["network"] == "unet")
    Table(path, KEYS).add({**row, "image": colour.name})  # of weights for colour, once there
    before = path.read_bytes()
    weights = {"unet": networks["unet-nuclei"]}
    nuclei.measure(pieces, tmp_path, [str(networks["dran"])], store=store, weights=weights)
    assert path.read_bytes() == before


def test_removing_rows_leaves_those_added_meanwhile(tmp_path: Path) -> None:
    row = {"image": "a", "sigma": "50", "network": "unet", "dice": "1"}
    Table(tmp_path / "a.csv", KEYS).add(row)
    mine, other = (Table(tmp_path / "a.csv", KEYS) for _ in range(2))
    other.add({**row, "image": "b"})
    mine.remove([("a", "50", "unet")])
    assert [found["image"] for found in read(tmp_path / "a.csv")] == ["b"]


def test_rows_are_kept_where_they_cannot_be_replaced(
    pieces: Path, networks: dict[str, Path], measured: tuple[Path, Path], tmp_path: Path
) -> None:
    results, store = measured
    shutil.copytree(results / "segmentation", tmp_path / "segmentation")
    shutil.copytree(store / "lgg/nlm/50", tmp_path / "store/lgg/nlm/50")
    before = [(tmp_path / f"segmentation/{name}.csv").read_bytes() for name in ("noisy", "nlm")]
    newer = {"unet": networks["unet-noise"]}
    lacking = "9 rows .* 6 of the denoised images .* analysis-images --methods nlm"
    for again in (False, True):
        with pytest.raises(InputError, match=lacking):
            segmentation.measure(
                pieces, tmp_path, ["noisy", "nlm"], store=tmp_path / "store", weights=newer,
                again=again,
            )  # fmt: skip
    after = [(tmp_path / f"segmentation/{name}.csv").read_bytes() for name in ("noisy", "nlm")]
    assert after == before
