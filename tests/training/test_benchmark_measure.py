"""What is measured: images, noise, methods, and going on where a run stopped."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training.benchmark import gaussian, grey_as_colour, methods, released
from training.benchmark.images import TestImage, test_images
from training.benchmark.networks import TRAINING
from training.benchmark.rows import Table, read
from training.benchmark.scoring import measure_images, score

from napari_dran.errors import InputError
from napari_dran.network.dran import DRAN
from napari_dran.training.evaluation import evaluate
from napari_dran.weights import Card, save_weights

RESULTS = TRAINING / "results"


@pytest.fixture
def images() -> list[TestImage]:
    random = np.random.default_rng(0)
    return [TestImage(f"mri/{n}.png", "mri", random.random((24, 28), np.float32)) for n in range(4)]


class Counting:
    """A method that counts its calls, and is interrupted at one of them."""

    def __init__(self, stop: int = 99) -> None:
        self.calls, self.stop = 0, stop

    def __call__(self, image: np.ndarray, sigma: float) -> np.ndarray:
        self.calls += 1
        if self.calls == self.stop:
            raise KeyboardInterrupt
        return image * (1 - sigma)


def test_a_stopped_measurement_goes_on(images: list[TestImage], tmp_path: Path) -> None:
    def measure(folder: str, method: Counting, again: bool = False) -> bytes:
        measure_images(
            images, tmp_path / folder, "m", method, gaussian.add_noise, sigmas=[10, 25], again=again
        )
        return (tmp_path / folder / "m.csv").read_bytes()

    whole = measure("whole", Counting())
    with pytest.raises(KeyboardInterrupt):
        measure("parts", Counting(stop=4))
    assert len(read(tmp_path / "parts/m.csv")) == 3
    rest = Counting()
    assert measure("parts", rest) == whole
    assert rest.calls == 5
    nothing, everything = Counting(), Counting()
    assert measure("parts", nothing) == whole
    assert measure("parts", everything, again=True) == whole
    assert (nothing.calls, everything.calls) == (0, 8)


def test_rows_of_other_weights_are_not_mixed(images: list[TestImage], tmp_path: Path) -> None:
    for seed in (1, 2):
        network = DRAN(features=8, blocks=1, layers=2)
        card = Card("net", "dran", network.arguments, 1, (0, 50))
        save_weights(tmp_path / f"{seed}.safetensors", network, card)
        method = methods.make(str(tmp_path / f"{seed}.safetensors"))
        if seed == 1:
            measure_images(images[:2], tmp_path, "net", method, gaussian.add_noise, sigmas=[25])
    with pytest.raises(InputError, match="--again"):
        measure_images(images, tmp_path, "net", method, gaussian.add_noise, sigmas=[25])
    measure_images(images, tmp_path, "net", method, gaussian.add_noise, sigmas=[25], again=True)
    assert {row["weights"] for row in read(tmp_path / "net.csv")} == {methods.weights(method)}


def test_scores_are_those_of_the_products_protocol(pictures: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "test").symlink_to(pictures / "grey")
    gaussian.measure(corpus, tmp_path, ["noisy", "nlm"])
    for name in ("noisy", "nlm"):
        rows = read(tmp_path / "gaussian" / f"{name}.csv")
        expected = evaluate(pictures / "grey", method=methods.make(name))
        assert [(r["image"], float(r["sigma"])) for r in rows] == [
            (r.image, r.sigma) for r in expected
        ]
        assert [float(r["psnr"]) for r in rows] == pytest.approx([r.psnr for r in expected], 1e-5)
        assert [float(r["ssim"]) for r in rows] == pytest.approx([r.ssim for r in expected], 1e-5)


def test_images_in_colour_whose_channels_are_equal_are_grey(tmp_path: Path) -> None:
    (tmp_path / "test/ct").mkdir(parents=True)
    (tmp_path / "dsb2018/test/images").mkdir(parents=True)
    grey = np.arange(400, dtype=np.uint8).reshape(20, 20)
    Image.fromarray(grey).save(tmp_path / "test/ct/a.png")
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "dsb2018/test/images/b.png")
    Image.fromarray(np.stack([grey, grey, grey // 2], -1)).save(
        tmp_path / "dsb2018/test/images/c.png"
    )
    found = list(test_images(tmp_path))
    assert [image.name for image in found] == ["ct/a.png", "nuclei/b.png", "nuclei/c.png"]
    assert [image.pixels.shape for image in found] == [(20, 20), (20, 20), (20, 20, 3)]
    assert found[0].pixels.max() <= 1


def test_methods_are_named_and_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no method 'bm4d'.*noisy, nlm, bm3d"):
        methods.make("bm4d")
    with pytest.raises(InputError, match="train-networks --only dncnn"):
        methods.trained("dncnn", tmp_path)
    assert methods.missing("noisy") == ""
    grey = methods.make("dran-grey")
    assert methods.takes(grey, 1)
    assert not methods.takes(grey, 3)
    assert methods.takes(methods.make("nlm"), 3)
    assert methods.stem("runs/a/best.safetensors") == "best"


def test_released_noise_is_what_its_formula_says(tmp_path: Path) -> None:
    released.measure_noise(tmp_path)
    rows = read(tmp_path / "released/noise.csv")
    for row, level in zip(rows, (10, 25, 50), strict=True):
        largest = 255 * level / 100 / 2
        assert float(row["smallest"]) == pytest.approx(0, abs=0.01)
        assert float(row["largest"]) == pytest.approx(largest, rel=1e-3)
        assert float(row["mean"]) == pytest.approx(largest / 2, rel=2e-3)
        assert float(row["deviation"]) == pytest.approx(largest / 12**0.5, rel=2e-3)
    for row, kept in zip(rows, read(RESULTS / "released/noise.csv"), strict=True):
        assert [float(v) for v in row.values()] == pytest.approx([float(v) for v in kept.values()])
    text = released.tables(tmp_path)
    assert "standard deviation 18.4, 0.37 of what its name says" in text


def test_released_noise_is_centred_for_methods(images: list[TestImage]) -> None:
    image = TestImage("ct/flat.png", "ct", np.full((200, 200), 0.3, np.float32))
    noisy, told = released.add_noise(image, 50.0)
    centred, _ = released.add_centred(image, 50.0)
    assert noisy.min() >= 0.3
    assert centred.mean() == pytest.approx(0.3, abs=0.002)
    assert centred.std() == pytest.approx(told, rel=0.01)
    assert np.array_equal(noisy, released.add_noise(image, 50.0)[0])


def test_mean_of_three_channels_gains_what_three_noises_bring() -> None:
    image = TestImage("ct/flat.png", "ct", np.full((300, 300), 0.5, np.float32))
    noisy = grey_as_colour.three_channels(image, 10.0)
    assert np.array_equal(noisy[..., 0], gaussian.add_noise(image, 10.0)[0])
    gain = score(image.pixels, noisy.mean(-1))["psnr"] - score(image.pixels, noisy[..., 0])["psnr"]
    assert gain == pytest.approx(10 * np.log10(3), abs=0.05)


def test_committed_scores_can_be_had_again(corpus: Path) -> None:
    image = next(image for image in test_images(corpus) if image.modality == "mri")
    noisy, told = gaussian.add_noise(image, 25.0)
    for name in ("noisy", "nlm"):
        table = Table(RESULTS / "gaussian" / f"{name}.csv")
        found = score(image.pixels, methods.make(name)(noisy, told))
        row = table.rows[image.name, "25"]
        assert found["psnr"] == pytest.approx(float(row["psnr"]), abs=1e-3)
        assert found["ssim"] == pytest.approx(float(row["ssim"]), abs=1e-4)


def test_results_are_whole_tables() -> None:
    for path in RESULTS.glob("*/*.csv"):
        with path.open(newline="") as file:
            lengths = {len(row) for row in csv.reader(file)}
        assert len(lengths) == 1, path


def test_grey_rows_stay_when_only_the_colour_twin_is_trained_anew(tmp_path: Path) -> None:
    table = Table(tmp_path / "net.csv")
    table.add({"image": "ct/a.png", "sigma": 25.0, "weights": "grey1"})
    table.check_weights("grey1+colour2")
    with pytest.raises(InputError, match="measured with the weights grey1, now they are grey2"):
        table.check_weights("grey2+colour2")
