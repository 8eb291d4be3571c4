"""Pieces of labelled images: repeatable, aligned with their labels, within their ranges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_dran.training.analysis_recipe import AnalysisRecipe
from napari_dran.training.labelled import LabelledImage, read_labelled
from napari_dran.training.labelled_crops import (
    EDGE,
    FAINTEST,
    HALO,
    LabelledCrops,
    distort,
    faint,
)

CPU = torch.device("cpu")
STILL = AnalysisRecipe(
    task="segment", crop=64, batch=2, rotation=0, zoom=1, elastic=0, contrast=0, single=0
)
"""Flips only."""


@pytest.fixture(scope="module")
def nuclei(corpus: Path) -> list[LabelledImage]:
    return read_labelled(corpus / "dsb2018" / "val")


@pytest.fixture(scope="module")
def numbered(nuclei: list[LabelledImage]) -> LabelledImage:
    """An image whose grey values are its labels."""
    pixels = np.repeat((nuclei[0].labels[..., None] * 2).astype(np.uint8), 3, -1)
    return replace(nuclei[0], pixels=pixels)


def test_same_step_same_batch(nuclei: list[LabelledImage]) -> None:
    recipe = replace(STILL, rotation=30, zoom=1.5, elastic=0.05, contrast=0.4, noise=(0, 30))
    images, labels = LabelledCrops(nuclei, recipe, CPU).batch(3, step=5)
    assert (images.shape, images.dtype) == ((3, 3, 64, 64), torch.float32)
    assert (labels.shape, labels.dtype) == ((3, 64, 64), torch.int64)
    torch.rand(7)  # nothing else that draws numbers matters
    again = LabelledCrops(nuclei, recipe, CPU).batch(3, step=5)
    assert again[0].equal(images)
    assert again[1].equal(labels)
    for other in (
        LabelledCrops(nuclei, recipe, CPU).batch(3, step=6),
        LabelledCrops(nuclei, recipe, CPU).batch(3, step=5, rank=1),
        LabelledCrops(nuclei, replace(recipe, seed=1), CPU).batch(3, step=5),
    ):
        assert not other[0].equal(images)


def test_undistorted_pieces_are_pieces_of_the_image(nuclei: list[LabelledImage]) -> None:
    labels = nuclei[0].labels[:256, :256]
    rows, columns = np.indices(labels.shape).astype(np.uint8)
    image = replace(nuclei[0], pixels=np.stack([rows, columns, rows], -1), labels=labels)
    pieces, found = LabelledCrops([image], STILL, CPU).batch(8, 0)
    # The pixels say where they come from, flipped or not.
    places = (pieces * 255).round().long()
    assert (places[:, 0].diff(dim=1) == 1).all()
    assert (places[:, 1].diff(dim=2).abs() == 1).all()
    assert found.numpy().tolist() == labels[places[:, 0], places[:, 1]].tolist()
    assert found.flatten(1).any(1).all()  # places without an object are tried again
    assert len(set(places[:, 0, 0, 0].tolist())) > 3


def test_labels_follow_the_image(numbered: LabelledImage) -> None:
    recipe = replace(STILL, crop=128, rotation=180, zoom=2, elastic=0.1)
    images, labels = LabelledCrops([numbered], recipe, CPU).batch(8, 3)
    shown = images[:, 0] * 255 / 2
    # At its border an object is mixed with its neighbour; inside it the number shows.
    same = labels[:, None].float()
    lowest = -F.max_pool2d(-same, 5, 1, 2)
    inside = ((F.max_pool2d(same, 5, 1, 2) == lowest) & (same > 0))[:, 0]
    assert inside.sum() > 1000
    right = (shown - labels).abs() < 0.5
    assert right[inside].float().mean() > 0.999
    assert right.roll(5, 2)[inside].float().mean() < 0.99
    assert (images[0] != images[1]).any()


def test_small_images_are_padded(nuclei: list[LabelledImage]) -> None:
    place = np.s_[100:140, 200:230]
    small = replace(nuclei[0], pixels=nuclei[0].pixels[place], labels=nuclei[0].labels[place])
    assert small.labels.any()
    piece, labels = LabelledCrops([small], STILL, CPU)._piece(np.random.default_rng(0))
    assert (piece.shape, labels.shape) == ((3, 64, 64), (64, 64))
    np.testing.assert_array_equal(labels[:40, :30], small.labels)
    assert not labels[40:].any()
    assert not labels[:, 30:].any()
    np.testing.assert_allclose(piece[0, :40, :30], small.pixels[..., 0] / 255, rtol=1e-6)
    # The edge goes on, as it does where the network pads.
    assert piece[:, 40:, :30].equal(piece[:, 39:40, :30].expand(-1, 24, -1))
    assert piece[:, :, 30:].equal(piece[:, :, 29:30].expand(-1, -1, 34))


def test_images_without_objects_are_used_as_they_are() -> None:
    empty = LabelledImage("e", np.full((80, 80, 3), 51, np.uint8), np.zeros((80, 80), np.int32), "")
    images, labels = LabelledCrops([empty], STILL, CPU).batch(2, 0)
    assert not labels.any()
    torch.testing.assert_close(images, torch.full_like(images, 0.2))


def flat(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.tensor([0.2, 0.4, 0.6])[None, :, None, None].expand(count, -1, 16, 16)
    return images.clone(), torch.zeros(count, 16, 16, dtype=torch.int64)


def test_contrast_stays_within_its_range() -> None:
    images, _ = distort(*flat(), replace(STILL, contrast=0.3))
    base, gain, power, offset = torch.tensor([0.2, 0.4, 0.6]), 1.3, 0.3, 0.05
    low = base ** float(np.exp(power)) * (2 - gain) - offset
    high = base ** float(np.exp(-power)) * gain + offset
    means = images.mean((2, 3))
    assert (means >= low - 1e-5).all()
    assert (means <= high + 1e-5).all()
    assert (means.std(0) > 0.03).all()


def test_stretched_images_have_the_range_of_a_window() -> None:
    dim = 0.3 + 0.2 * torch.rand(400, 3, 16, 16)
    images, _ = distort(dim, flat(400)[1], replace(STILL, stretched=0.5))
    low, high = images.amin((1, 2, 3)), images.amax((1, 2, 3))
    stretched = high - low > 0.9
    assert 0.4 < stretched.float().mean() < 0.6
    assert high[~stretched].max() < 0.51
    # What is all but constant is not blown up to full contrast.
    noise = 0.3 + 0.001 * torch.rand(4, 3, 16, 16)
    images, _ = distort(noise, flat(4)[1], replace(STILL, stretched=1))
    assert images.max() < 0.03


def test_single_and_inverted_are_shares() -> None:
    recipe = replace(STILL, single=0.5, inverted=0.25, copied=1)
    images, _ = distort(*flat(400), recipe)
    means = images.mean((2, 3))
    copied = (means - means[:, 1:2]).abs().amax(1) < 1e-5
    assert 0.4 < copied.float().mean() < 0.6
    inverted = (means[:, 1] - 0.6).abs() < 1e-5
    assert 0.17 < inverted.float().mean() < 0.33
    torch.testing.assert_close(means[~inverted, 1], torch.full_like(means[~inverted, 1], 0.4))


def test_noise_has_the_standard_deviation_asked_for() -> None:
    before = flat()[0]
    images, _ = distort(*flat(), replace(STILL, noise=(10, 25)))
    sigma = 255 * (images - before).flatten(1).std(1)
    assert 9 < sigma.min() < 13
    assert 22 < sigma.max() < 27
    assert (images - before).mean().abs() < 1e-3
    still, _ = distort(*flat(), STILL)
    torch.testing.assert_close(still, before)


@pytest.fixture(scope="module")
def tensors(nuclei: list[LabelledImage]) -> tuple[torch.Tensor, torch.Tensor]:
    """A real image of many nuclei and its labels, as a batch of one."""
    pixels = torch.from_numpy(nuclei[0].pixels).permute(2, 0, 1)[None].float() / 255
    return pixels, torch.from_numpy(nuclei[0].labels)[None].long()


def around(there: torch.Tensor, width: int) -> torch.Tensor:
    """Widen a mask (N, H, W)."""
    return F.max_pool2d(there[:, None].float(), width, 1, width // 2)[:, 0] > 0


def test_faint_changes_objects_and_their_halo_only(
    tensors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, labels = tensors
    found = faint(images, labels, 1.0)
    changed = ((found - images).abs() > 1e-5).any(1)
    assert not changed[~around(labels > 0, HALO + EDGE - 1)].any()
    assert changed[labels > 0].float().mean() > 0.9
    assert changed[around(labels > 0, HALO) & (labels == 0)].float().mean() > 0.5
    torch.testing.assert_close(faint(images, labels, 0.0), images)


def test_every_faint_object_has_a_factor_of_its_own(
    tensors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, labels = tensors
    background = images[0, 0][labels[0] == 0].median()
    before, after = (i[0, 0] - background for i in (images, faint(images, labels, 0.5)))
    factors = after / before
    contrast = before.abs() > 0.05
    assert factors[contrast].min() >= FAINTEST - 1e-4
    assert factors[contrast].max() <= 1 + 1e-4
    numbers = labels[:, None].float()
    lowest, highest = (s * F.max_pool2d(s * numbers, EDGE, 1, EDGE // 2)[0, 0] for s in (-1, 1))
    inside = contrast & (lowest == highest)
    own = {n: factors[inside & (labels[0] == n)] for n in labels.unique().tolist() if n}
    own = {n: values for n, values in own.items() if len(values) > 20}
    assert len(own) > 50
    assert max(float(values.std()) for values in own.values()) < 1e-4
    means = torch.stack([values.mean() for values in own.values()])
    kept = means > 1 - 1e-4
    assert 0.3 < kept.float().mean() < 0.7
    assert means[~kept].log10().min() < -0.8  # down to a tenth, by its logarithm
    assert -0.6 < means[~kept].log10().mean() < -0.4


def test_faint_objects_without_a_background() -> None:
    images, labels = flat(2)
    assert faint(images, labels + 1, 1.0).isfinite().all()
    torch.testing.assert_close(faint(images, labels, 1.0), images)  # nor the other way round


def test_faint_is_the_same_for_the_same_step(nuclei: list[LabelledImage]) -> None:
    recipe = replace(STILL, faint=0.5)
    images, labels = LabelledCrops(nuclei, recipe, CPU).batch(4, step=2)
    again, _ = LabelledCrops(nuclei, recipe, CPU).batch(4, step=2)
    assert images.equal(again)
    clear, same = LabelledCrops(nuclei, STILL, CPU).batch(4, step=2)
    assert labels.equal(same)
    assert not images.equal(clear)


@pytest.mark.parametrize("task", ["segment", "detect"])
def test_beyond_the_border_images_are_mirrored_for_a_unet_only(task: str) -> None:
    recipe = replace(STILL, task=task, rotation=90, zoom=2)
    full = torch.full((8, 3, 32, 32), 0.5)
    images, labels = distort(full, torch.full((8, 32, 32), 7), recipe)
    if task == "segment":
        torch.testing.assert_close(images, full)
        assert (labels == 7).all()
    else:  # else an object and its mirror image would share a number, and a box
        outside = images < 0.01
        assert 0.05 < outside.float().mean() < 0.5
        assert set(labels.unique().tolist()) == {0, 7}
        assert not labels[outside[:, 0]].any()
