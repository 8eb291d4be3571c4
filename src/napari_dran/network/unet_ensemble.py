"""Several U-Nets that decide together: their mean is right more often than each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from .folding import Foldable
from .unet import UNet, mean_logits


class UNetEnsemble(Foldable):
    """Maps images to logits whose softmax is the mean of its members'.

    Trained with few images, networks err in ways of their own, by chance; what they
    agree on is more certain (Dietterich, "Ensemble Methods in Machine Learning",
    MCS 2000).

    Parameters
    ----------
    members : sequence of mapping
        Arguments of each :class:`~napari_dran.network.unet.UNet`; classes are the
        same for all.
    even : float
        Mean probability of the background's opposite that becomes 0.5. Chosen on
        validation images: where members disagree, one that sees something is more
        often right than those that do not.

    Raises
    ------
    InputError
        No member, or members that do not go together.
    """

    def __init__(
        self, members: Sequence[Mapping[str, Any]], even: float = 0.5, channels: int = 3
    ) -> None:
        super().__init__()
        kinds = {(member.get("channels", 3), member.get("classes", 2)) for member in members}
        if len(kinds) != 1 or next(iter(kinds))[0] != channels:
            raise InputError(
                f"Expected members of {channels} channels and the same classes, got (channels, "
                f"classes) {sorted(kinds)}."
            )
        if not 0 < even < 1:
            raise InputError(f"Expected an even probability between 0 and 1, got {even}.")
        self.members = nn.ModuleList(UNet(**member) for member in members)
        self.channels, self.even = channels, even
        self.arguments: dict[str, Any] = {
            "members": [dict(member) for member in members],
            "even": even,
            "channels": channels,
        }

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, channels, H, W) to logits (N, classes, H, W)."""
        logits = mean_logits([member(inputs) for member in self.members])
        logits[:, 0] += math.log(self.even / (1 - self.even))
        return logits
