"""What goes in comes out: less its noise, and with nothing else changed."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dran.denoising import Denoiser, Step
from napari_dran.errors import (
    Cancelled,
    DeviceError,
    DranError,
    InputError,
    OutOfMemoryError,
    WeightsError,
)
from napari_dran.intensity import Window
from napari_dran.metrics import psnr
from napari_dran.network.dran import DRAN
from napari_dran.noise import add_gaussian
from napari_dran.volume import Volume
from napari_dran.weights import load_weights, save_weights

from .conftest import Tenth, card_for

WINDOW = (0, 1000)


def network_of(denoiser: Denoiser) -> Tenth:
    (predictor,) = denoiser._predictors.values()
    assert isinstance(predictor.network, Tenth)
    return predictor.network


def grey(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 1000, shape).astype(dtype)


# ---- what is subtracted


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i2", ">i2", "u2", "i4", "u4", "i8"])
@pytest.mark.parametrize("shape", [(9, 12), (3, 9, 12), (2, 3, 9, 12)])
def test_noise_is_subtracted_from_the_original_values(tenth, shape, dtype) -> None:
    image = grey(*shape, dtype=dtype)
    before = image.tobytes()
    result = tenth.run(image, window=WINDOW)
    expected = 0.9 * image.astype(np.float64)
    assert result.image.dtype == image.dtype
    tolerance = 0.5001 if image.dtype.kind in "iu" else (0.5 if dtype == "f2" else 1e-4)
    np.testing.assert_allclose(result.image, expected, atol=tolerance, rtol=0)
    np.testing.assert_allclose(result.noise, 0.1 * image.astype(np.float64), rtol=1e-4)
    assert result.noise.dtype == np.float32
    assert image.tobytes() == before


def test_the_offset_of_the_window_is_not_subtracted(tenth) -> None:
    image = grey(9, 9) - 1000
    result = tenth.run(image, window=(-1000, 0))
    np.testing.assert_allclose(result.noise, 0.1 * (image + 1000), rtol=1e-4)


@pytest.mark.parametrize("strength", [0, 0.3, 2])
def test_strength(tenth, strength) -> None:
    image = grey(9, 9)
    result = tenth.run(image, window=WINDOW, strength=strength)
    np.testing.assert_allclose(result.image, image * (1 - 0.1 * strength), rtol=1e-6)
    # The noise is all that was found, so that strength can be chosen again later.
    np.testing.assert_allclose(result.noise, 0.1 * image, rtol=1e-4)
    if strength == 0:
        assert result.image.tobytes() == image.tobytes()


@pytest.mark.parametrize("strength", [-1, 2.5, np.nan])
def test_strength_out_of_range(tenth, strength) -> None:
    with pytest.raises(InputError, match="strength"):
        tenth.run(grey(9, 9), strength=strength)


def test_values_outside_the_window_are_bit_identical(tenth) -> None:
    image = grey(3, 16, 16)
    result = tenth.run(image, window=(300, 600))
    outside = (image < 300) | (image > 600)
    assert 0.5 < outside.mean() < 0.9
    assert result.image[outside].tobytes() == image[outside].tobytes()
    assert not result.noise[outside].any()
    assert (result.image[~outside & (image > 301)] < image[~outside & (image > 301)]).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan_and_inf_are_kept_and_not_spread(tiny, dtype) -> None:
    whole = grey(16, 16, dtype=dtype)
    image = whole.copy()
    image[4, 5], image[8, 8], image[12, 3] = np.nan, np.inf, -np.inf
    result = tiny.run(image, window=WINDOW)
    broken = ~np.isfinite(image)
    assert result.image[broken].tobytes() == image[broken].tobytes()
    assert np.isfinite(result.image[~broken]).all()
    assert not result.noise[broken].any()


def test_a_nan_hardly_changes_the_result_elsewhere() -> None:
    network, card = load_weights("dran-grey")
    denoiser = Denoiser.from_network(network, card, device="cpu")
    whole = np.full((24, 24), 500.0) + np.random.default_rng(0).normal(0, 50, (24, 24))
    broken = whole.copy()
    broken[10:13, 10:13] = np.nan
    clean = denoiser.run(whole, window=WINDOW).image
    clean_broken = denoiser.run(broken, window=WINDOW).image
    rest = np.isfinite(broken)
    assert np.abs(clean_broken - clean)[rest].max() < 30
    assert clean_broken[rest].std() < 0.6 * whole[rest].std()


@pytest.mark.parametrize("value", [0, 7, -3])
@pytest.mark.parametrize("window", ["percentile", "full", (-10, 10)])
def test_constant_images_are_unchanged(tenth, value, window) -> None:
    image = np.full((3, 9, 9), value, np.int16)
    result = tenth.run(image, window=window)
    assert result.image.tobytes() == image.tobytes()
    assert not result.noise.any()
    assert not network_of(tenth).seen
    if isinstance(window, str):
        assert result.window is None
        assert result.provenance.window is None
        assert "constant" in result.notes[0]


def test_constant_slices_are_unchanged(tenth) -> None:
    image = grey(4, 9, 9)
    image[1], image[3] = 500, np.nan
    result = tenth.run(image, window=WINDOW)
    assert result.image[[1, 3]].tobytes() == image[[1, 3]].tobytes()
    assert len(network_of(tenth).seen) == 2
    assert (result.image[[0, 2]] < image[[0, 2]]).all()


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_masked_background_and_saturated_areas_are_unchanged(tenth, dtype) -> None:
    image = np.random.default_rng(0).integers(50, 200, (2, 40, 40)).astype(dtype)
    row, column = np.indices(image.shape[1:])
    background = np.broadcast_to(np.hypot(row - 20, column - 20) > 15, image.shape)
    image[background] = 20
    image[:, 15:25, 15:25] = 255
    result = tenth.run(image, window=WINDOW)
    changed = result.image != image
    assert not changed[:, 15:25, 15:25].any()
    assert not changed[background].any()
    assert changed[~background].mean() > 0.8
    assert np.array_equal(result.noise != 0, changed)


def test_constant_areas_of_colour_are_unchanged(colour_tenth) -> None:
    image = np.random.default_rng(0).integers(50, 200, (30, 30, 3)).astype("u1")
    image[:12] = 255
    result = colour_tenth.run(image, window=WINDOW)
    assert np.array_equal(result.image[:12], image[:12])
    assert (result.image[12:] != image[12:]).all()


def test_slices_outside_the_window_are_not_even_shown(tenth) -> None:
    image = grey(2, 9, 9)
    image[1] += 5000
    result = tenth.run(image, window=WINDOW)
    assert result.image[1].tobytes() == image[1].tobytes()
    assert len(network_of(tenth).seen) == 1


def test_outliers_are_clipped_before_the_network_sees_them(tenth) -> None:
    image = grey(9, 9)
    image[0, 0] = 1e30
    tenth.run(image, window=WINDOW)
    assert network_of(tenth).seen[0].max() == 1.5


# ---- slices and axes


@pytest.mark.parametrize(
    ("axis", "letter"),
    [(0, "z"), (1, "y"), (2, "x"), (-1, "x"), ("z", "z"), ("axial", "z"), ("Coronal", "y"),
     ("sagittal", "x"), ("2", "x"), ("-3", "z")],
)  # fmt: skip
def test_slices_across_every_axis(tenth, axis, letter) -> None:
    image = grey(9, 10, 11)
    steps = list(tenth.stream(image, axis=axis, window=WINDOW))
    position = "zyx".index(letter)
    assert [step.index[position] for step in steps] == list(range(image.shape[position]))
    assert [step.done for step in steps] == list(range(1, image.shape[position] + 1))
    assert {step.total for step in steps} == {image.shape[position]}
    for step in steps:
        np.testing.assert_allclose(step.noise, 0.1 * image[step.index], rtol=1e-4)
    assert tenth.plan(image, axis=axis).provenance().axis == letter


def test_time_points_are_looped_over_in_one_window(tenth) -> None:
    image = grey(2, 3, 9, 9)
    image[1] *= 2
    plan = tenth.plan(image, axes="tzyx", axis="y", window="full")
    assert plan.windows == (Window(image.min(), image.max(), "full"),)
    assert [step.index[::2] for step in plan.steps()] == [
        (t, y) for t in range(2) for y in range(9)
    ]


def test_channels_have_windows_of_their_own(tenth) -> None:
    image = grey(3, 2, 9, 9)
    image[1] *= 50
    image[2] = 4
    result = tenth.run(image, axes="czyx", window="full")
    windows = [Window(c.min(), c.max(), "full") for c in image[:2]]
    assert result.windows == (*windows, None)
    for channel, window in enumerate(windows):
        expected = 0.1 * (image[channel] - window.low)
        np.testing.assert_allclose(result.noise[channel], expected, rtol=1e-3, atol=1e-3)
    assert not result.noise[2].any()
    assert result.window == Window(image[:2].min(), image[:2].max(), "full")
    # Noise is a third of either channel's range, whatever their ranges are.
    assert result.provenance.sigma_255 == pytest.approx(255 / 12**0.5, rel=0.25)


def test_channels_share_a_window_that_is_given(tenth) -> None:
    assert tenth.plan(grey(3, 9, 9), axes="cyx", window="brain").windows == (
        Window(0, 80, "brain"),
    )


def test_colour_samples_go_together_and_alpha_stays(colour_tenth) -> None:
    image = grey(9, 10, 4, dtype="u2")
    result = colour_tenth.run(image, window=WINDOW)
    (seen,) = network_of(colour_tenth).seen
    assert seen.shape == (1, 3, 9, 10)
    np.testing.assert_allclose(seen[0].permute(1, 2, 0), image[..., :3] / 1000, rtol=1e-5)
    np.testing.assert_allclose(result.image[..., :3], 0.9 * image[..., :3], atol=0.5001)
    np.testing.assert_array_equal(result.image[..., 3], image[..., 3])
    assert not result.noise[..., 3].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_colour_volumes(colour_tenth, axis) -> None:
    image = grey(8, 9, 10, 3)
    result = colour_tenth.run(image, axis=axis, window=WINDOW)
    np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)


def test_colour_shares_one_window_without_alpha(colour_tenth) -> None:
    image = grey(9, 10, 4)
    image[..., 0] /= 10
    image[..., 3] = 1e6
    plan = colour_tenth.plan(image, window="full")
    assert plan.windows == (Window(image[..., :3].min(), image[..., :3].max(), "full"),)


def test_uniform_colour_is_constant(colour_tenth) -> None:
    image = np.zeros((9, 9, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    result = colour_tenth.run(image)
    np.testing.assert_array_equal(result.image, image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (2, 3, 20), (3, 1, 5), (8, 8)])
def test_narrow_slices_are_padded(tenth, shape) -> None:
    image = grey(*shape)
    image.flat[0] = 3
    result = tenth.run(image, window=WINDOW)
    if image.size > 1:
        np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)
    assert result.image.shape == shape


def test_padding_reflects(tenth) -> None:
    tenth.run(np.array([[100, 200, 300, 400, 500, 600]] * 8), window=WINDOW)
    (seen,) = network_of(tenth).seen
    row = [0.2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.5]
    np.testing.assert_allclose(seen[0, 0, 0], row, atol=1e-6)


# ---- batches, memory, devices


def test_a_slice_does_not_depend_on_the_batch_it_is_in(tiny) -> None:
    image = grey(5, 16, 16)
    network = next(iter(tiny._predictors.values())).network
    alone = tiny.run(image, window=WINDOW)
    assert alone.image.tobytes() == tiny.run(image, window=WINDOW).image.tobytes()
    for batch in (2, 5, 100):
        together = Denoiser.from_network(
            network, card_for(1, features=8), device="cpu", batch=batch
        )
        assert together.run(image, window=WINDOW).image.tobytes() == alone.image.tobytes()


def test_batches_hold_what_was_asked_for(tenth) -> None:
    tenth.batch = 3
    image = grey(8, 9, 9)
    image[4] = 5
    tenth.run(image, window=WINDOW)
    assert [len(seen) for seen in network_of(tenth).seen] == [3, 2, 2]


class Hungry(Tenth):
    """Runs out of memory above a batch of ``most``."""

    most = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if len(image) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return super().forward(image)


def test_batches_are_halved_when_memory_runs_out() -> None:
    network = Hungry()
    network.most = 2
    denoiser = Denoiser.from_network(network, card_for(1), device="cpu", batch=8)
    image = grey(20, 9, 9)
    result = denoiser.run(image, window=WINDOW)
    np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)
    # 8 and 4 failed once; from then on the size that fits is known.
    assert [len(seen) for seen in network.seen] == [2] * 10
    smaller = denoiser.run(grey(4, 3, 9), window=WINDOW)
    assert smaller.image.shape == (4, 3, 9)


def test_a_slice_too_large_says_what_to_do() -> None:
    denoiser = Denoiser.from_network(Hungry(), card_for(1), device="cpu", batch=4)
    with pytest.raises(OutOfMemoryError, match=r"A slice of 81 pixels .* crop the image") as caught:
        denoiser.run(grey(5, 9, 9), window=WINDOW)
    # napari's workers lose RuntimeErrors.
    assert not isinstance(caught.value, RuntimeError)


class Failing(Tenth):
    error: Exception = RuntimeError("cuDNN error")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raise self.error


def test_errors_of_the_device_are_ours() -> None:
    denoiser = Denoiser.from_network(Failing(), card_for(1), device="cpu")
    with pytest.raises(DeviceError, match="failed on cpu: cuDNN error") as caught:
        denoiser.run(grey(9, 9))
    assert not isinstance(caught.value, RuntimeError)


def test_a_device_that_lacks_an_operation_hands_over_to_the_cpu() -> None:
    class Picky(Tenth):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            if image.device.type == "meta":
                # As PyTorch does; no device here really lacks an operation.
                raise NotImplementedError("aten::abacus is not implemented for this device")
            return super().forward(image)

    denoiser = Denoiser.from_network(Picky(), card_for(1), device="cpu")
    predictor = denoiser.predictor(card_for(1))
    predictor.device = torch.device("meta")
    image = grey(2, 9, 9)
    result = denoiser.run(image, window=WINDOW)
    np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)
    assert predictor.device.type == "cpu"
    assert "aten::abacus" in result.notes[-1]


def test_weights_that_give_nan_are_refused() -> None:
    class Broken(Tenth):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image / 0

    with pytest.raises(WeightsError, match="not finite"):
        Denoiser.from_network(Broken(), card_for(1), device="cpu").run(grey(9, 9))


def test_threads_and_inference_mode_are_left_alone(tenth) -> None:
    threads = torch.get_num_threads()
    for _ in tenth.stream(grey(2, 9, 9)):
        # A generator must not leave its mode behind in the caller's thread.
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads


def test_a_network_in_memory_is_not_changed() -> None:
    network = DRAN(features=8, blocks=1, layers=2).train()
    before = copy.deepcopy(network.state_dict())
    denoiser = Denoiser.from_network(network, card_for(1, features=8), device="cpu")
    denoiser.run(grey(16, 16))
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2"])
def test_batch_below_one(batch) -> None:
    with pytest.raises(InputError, match="at least one slice"):
        Denoiser(batch=batch)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu_and_gives_memory_back() -> None:
    image = grey(6, 64, 64)
    on_cpu = Denoiser("dran-grey", device="cpu").run(image, window=WINDOW)
    denoiser = Denoiser("dran-grey", device="cuda")
    on_cuda = denoiser.run(image, window=WINDOW)
    # PyTorch lets convolutions round to TF32 there.
    np.testing.assert_allclose(on_cuda.image, on_cpu.image, atol=1)
    denoiser.release()
    assert torch.cuda.memory_allocated() < 1_000_000


# ---- progress and cancel


def test_progress(tenth) -> None:
    calls: list[tuple[int, int]] = []
    tenth.run(grey(3, 9, 9), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_cancel_by_progress(tenth) -> None:
    with pytest.raises(Cancelled, match="after 2 of 5"):
        tenth.run(grey(5, 9, 9), progress=lambda done, total: done < 2)
    assert len(network_of(tenth).seen) == 2
    assert issubclass(Cancelled, DranError)


def test_closing_the_stream_stops_and_frees(tenth, monkeypatch) -> None:
    freed = []
    monkeypatch.setattr(tenth, "free_cache", lambda: freed.append(True))
    steps = tenth.stream(grey(5, 9, 9))
    first = next(steps)
    assert isinstance(first, Step)
    steps.close()
    assert freed == [True]
    assert len(network_of(tenth).seen) == 1
    assert list(steps) == []


def test_stream_checks_its_arguments_at_once(tenth) -> None:
    with pytest.raises(InputError, match="no slice axis 7"):
        tenth.stream(grey(5, 9, 9), axis=7)


# ---- sigma, notes, provenance


def test_sigma_and_provenance(tenth) -> None:
    image = 500 + np.random.default_rng(0).normal(0, 20, (3, 64, 64))
    result = tenth.run(image, window=WINDOW, strength=0.5, axis="axial")
    assert result.sigma == pytest.approx(20, rel=0.1)
    record = result.provenance
    assert (record.weights, record.sha256) == ("tenth", "0123456789abcdef")
    assert (record.window, record.window_name) == ((0, 1000), "custom")
    assert (record.axis, record.strength) == ("z", 0.5)
    assert record.sigma == result.sigma
    assert record.sigma_255 == pytest.approx(result.sigma * 0.255)
    assert record.software == "napari-dran"
    assert len(record.as_text()) < 80
    for part in ("napari-dran", "tenth@01234567", "0:1000", " z ", "x0.5"):
        assert part in record.as_text()
    assert result.notes == ()


def test_provenance_survives_json(tenth) -> None:
    import json

    record = tenth.run(grey(9, 9)).provenance.as_dict()
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize(("sigma", "told"), [(150, False), (300, True)])
def test_noise_beyond_what_the_weights_know_is_told(tenth, sigma, told) -> None:
    image = np.random.default_rng(0).normal(500, sigma, (3, 64, 64))
    notes = tenth.run(image, window=WINDOW).notes
    assert bool(notes) is told
    if told:
        assert "were trained for (0 to 50)" in notes[0]


def test_a_window_that_misses_the_image_is_told(tenth) -> None:
    (note,) = tenth.run(grey(9, 9), window="5000:6000").notes
    assert "0.0% of the values lie in the window 5000:6000" in note


# ---- what may go in


def test_volumes(tenth) -> None:
    affine = np.diag([3.0, 2, 2, 1])
    volume = Volume(grey(3, 9, 9), "zyx", affine, "mm", name="scan", history=({"was": "read"},))
    result = tenth.run(volume, window=WINDOW)
    np.testing.assert_allclose(result.image.data, 0.9 * volume.data, rtol=1e-4)
    assert result.image.history == ({"was": "read"}, result.provenance.as_dict())
    assert result.noise.name == "scan noise"
    for made in (result.image, result.noise):
        assert (made.axes, made.unit) == ("zyx", "mm")
        np.testing.assert_array_equal(made.affine, affine)
    with pytest.raises(InputError, match="cannot be given too"):
        tenth.run(volume, axes="tyx")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((2, 2, 2, 8, 8)), "2-D, 3-D or 4-D"),
        (np.zeros((8, 8), complex), "magnitude"),
        (np.zeros((8, 8), object), r"dtype object.*astype"),
        (np.zeros((8, 8), bool), "bool mask"),
        (np.array([["a"]]), "dtype <U1"),
        (np.full((8, 8), np.nan), "no finite value"),
        (np.zeros((0, 8)), "with pixels"),
        ("scan.nii", r"'scan.nii'.*read_volume"),
        (Path("scan.nii"), r"'scan.nii'.*read_volume"),
        (np.ma.masked_array(np.zeros((8, 8)), np.eye(8)), r"mask.*filled"),
        (None, "2-D, 3-D or 4-D|dtype"),
    ],
)
def test_images_that_are_refused(tenth, image, message) -> None:
    with pytest.raises(InputError, match=message):
        tenth.run(image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": (5, 5)}, "lower bound"),
        ({"window": "brian"}, "There is no window 'brian'"),
        ({"window": "contrast-limits"}, "contrast limits of a layer"),
        ({"axis": 3}, "no slice axis 3"),
        ({"axis": -4}, "no slice axis -4"),
        ({"axis": "t"}, "no slice axis 't'"),
        ({"axis": "oblique"}, "no slice axis 'oblique'"),
        ({"axis": True}, "no slice axis True"),
        ({"axis": 1.0}, r"no slice axis 1\.0"),
        ({"axis": None}, "no slice axis None"),
        ({"axes": "zy"}, "do not fit"),
        ({"axes": "xyz"}, "do not fit"),
    ],
)
def test_arguments_that_are_refused(tenth, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        tenth.run(grey(3, 9, 9), **arguments)


def test_flat_images_have_one_slice_only(tenth) -> None:
    for axis in (0, "z", "axial"):
        assert tenth.plan(grey(9, 9), axis=axis).axis == "z"
    with pytest.raises(InputError, match="Expected 0, as it is a 2-D image"):
        tenth.run(grey(9, 9), axis=1)


def test_colour_needs_three_samples(colour_tenth) -> None:
    with pytest.raises(InputError, match="colour samples, got 2"):
        colour_tenth.run(grey(9, 9, 2), axes="yxs")


def test_weights_must_fit_the_image(tenth, colour_tenth) -> None:
    with pytest.raises(WeightsError, match=r"for grey images and .* colour.*dran-colour.*axes="):
        tenth.run(grey(9, 9, 3))
    with pytest.raises(WeightsError, match=r"for colour images and this one is grey.*dran-grey"):
        colour_tenth.run(grey(9, 9))


def test_unknown_weights_are_refused_at_once() -> None:
    with pytest.raises(WeightsError, match="dran-grey"):
        Denoiser("dran-gray")


def test_auto_weights() -> None:
    denoiser = Denoiser(device="cpu")
    assert denoiser.card(grey(9, 9)).name == "dran-grey"
    assert denoiser.card(grey(9, 9, 3)).name == "dran-colour"
    assert denoiser.card(grey(9, 9, 3), axes="zyx").name == "dran-grey"


def test_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DRAN(features=8, blocks=1, layers=2).eval()
    card = save_weights(tmp_path / "mine.safetensors", network, card_for(1, **network.arguments))
    image = grey(2, 16, 16)
    denoiser = Denoiser(str(tmp_path / "mine.safetensors"), device="cpu")
    result = denoiser.run(image, window=WINDOW)
    assert result.provenance.sha256 == card.sha256
    stored, _ = load_weights(tmp_path / "mine.safetensors")
    with torch.no_grad():
        noise = stored(torch.from_numpy(image[:, None] / 1000))[:, 0].numpy() * 1000
    np.testing.assert_allclose(result.noise, noise, atol=0.02)


@pytest.mark.corpus
@pytest.mark.parametrize(("modality", "gain"), [("mri", 4), ("histopathology", 4)])
def test_shipped_weights_denoise_real_images(corpus: Path, modality: str, gain: float) -> None:
    path = sorted((corpus / "test" / modality).glob("*.png"))[1]
    # A quarter of the image: the whole takes seconds.
    clean = np.asarray(Image.open(path))[48:176, 48:176] / 255.0
    noisy = np.clip(np.rint(255 * add_gaussian(clean, 25, seed=0)), 0, 255).astype(np.uint8)
    result = Denoiser(device="cpu").run(noisy, window=(0, 255))
    assert result.image.dtype == np.uint8
    before, after = (psnr(clean, image / 255) for image in (noisy, result.image))
    assert after > before + gain
    assert result.provenance.sigma_255 == pytest.approx(25, rel=0.25)
