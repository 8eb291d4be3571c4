"""How well a segmentation fits the truth: Dice, IoU, Hausdorff distance, Jaccard indices."""

from __future__ import annotations

import warnings

import numpy as np

PERCENTILE = 95


def dice(truth: np.ndarray, found: np.ndarray) -> float:
    """Return twice the overlap over the sum of the areas; 1 if both are empty.

    Parameters
    ----------
    truth, found : ndarray
        bool, the same shape.
    """
    areas = int(truth.sum() + found.sum())
    return 2 * int((truth & found).sum()) / areas if areas else 1.0


def iou(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the overlap over the union (Jaccard index); 1 if both are empty."""
    union = int((truth | found).sum())
    return int((truth & found).sum()) / union if union else 1.0


def hausdorff(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the 95 % Hausdorff distance between two outlines.

    MONAI's: the larger of the 95th percentiles of the distances from either outline
    to the other (Huttenlocher et al. 1993, with a percentile for the maximum). If one
    of them is empty it is the image's diagonal, the longest distance there could be.

    Parameters
    ----------
    truth, found : ndarray
        bool (height, width).

    Returns
    -------
    float
        In pixels; 0 if both are empty.
    """
    if not truth.any() and not found.any():
        return 0.0
    if not (truth.any() and found.any()):
        return float(np.hypot(*truth.shape))
    import torch
    from monai.metrics import compute_hausdorff_distance

    either = [torch.from_numpy(mask)[None, None].float() for mask in (found, truth)]
    with warnings.catch_warnings():
        # MONAI warns of an argument that it gives itself.
        warnings.filterwarnings("ignore", "monai", FutureWarning)
        distance = compute_hausdorff_distance(
            *either, include_background=True, percentile=PERCENTILE
        )
    return float(distance)


def overlaps(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Count the pixels that objects of two label images share.

    Parameters
    ----------
    truth, found : ndarray
        Whole numbers (height, width), 0 for background.

    Returns
    -------
    ndarray
        int64 (largest label of truth + 1, largest label of found + 1); row and
        column 0 are the background, so that sums of rows and columns are areas.
    """
    shape = int(truth.max()) + 1, int(found.max()) + 1
    pairs = truth.ravel().astype(np.int64) * shape[1] + found.ravel()
    return np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)


def aggregated_jaccard(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the aggregated Jaccard index of two label images.

    Kumar et al., "A Dataset and a Technique for Generalized Nuclear Segmentation for
    Computational Pathology", IEEE TMI 2017, algorithm 1: each true object is paired
    with the found one of the highest IoU; the intersections of the pairs, summed,
    over the sum of their unions and of the found objects that are in no pair. As
    there, one found object may be in several pairs. A true object that nothing
    touches adds its area to the unions.

    Parameters
    ----------
    truth, found : ndarray
        Whole numbers (height, width), 0 for background.

    Returns
    -------
    float
        From 0 to 1; 1 if both are empty.
    """
    shared = overlaps(truth, found)
    true_areas, found_areas = shared.sum(1)[1:], shared.sum(0)[1:]
    inside = shared[1:, 1:]
    # Numbers without a pixel are no objects.
    real = true_areas > 0
    inside, true_areas = inside[real], true_areas[real]
    unions = true_areas[:, None] + found_areas - inside
    if inside.size:
        partner = np.argmax(inside / np.maximum(unions, 1), axis=1)
        each = np.arange(len(inside))
        paired = inside[each, partner] > 0
        intersection = int(inside[each, partner].sum())
        union = int(np.where(paired, unions[each, partner], true_areas).sum())
        alone = np.setdiff1d(np.arange(len(found_areas)), partner[paired])
    else:
        intersection, union = 0, int(true_areas.sum())
        alone = np.arange(len(found_areas))
    union += int(found_areas[alone].sum())
    return intersection / union if union else 1.0
