"""Parameter names of the code that the authors of DRAN released.

That code runs its first block three times, each with a noise gate of its own;
the second and third block are in its checkpoints but never used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from ..errors import WeightsError
from .dran import DRAN

_GATE = {"conv2d": "feature", "mask_conv2d": "mask"}
_ATTENTION = {"fc1": "squeeze", "fc2": "excite"}
# A block lists convolution, normalisation and ReLU in turn: 0, 1, 2, 3, 4, 5 ...
_STRIDE = 3


def _rename(key: str) -> str | None:
    """Return our name of a released parameter, or None for an unused one."""
    if match := re.fullmatch(r"(input|output)Layer\.(?:0\.)?weight", key):
        return f"{'head' if match[1] == 'input' else 'tail'}.weight"
    if match := re.fullmatch(r"noiseGate(\d)\.(conv2d|mask_conv2d)\.(weight|bias)", key):
        return f"gates.{int(match[1]) - 1}.{_GATE[match[2]]}.{match[3]}"
    if match := re.fullmatch(r"block(\d)\.(\d+)\.(.+)", key):
        block, (layer, part), rest = int(match[1]), divmod(int(match[2]), _STRIDE), match[3]
        if block > 1:
            return None
        if part == 1:
            return f"blocks.0.norms.{layer}.{rest}"
        if attention := re.fullmatch(r"attention\.(fc1|fc2)\.weight", rest):
            rest = f"attention.{_ATTENTION[attention[1]]}.weight"
        return f"blocks.0.convs.{layer}.{rest}"
    raise WeightsError(
        f"The checkpoint holds the parameter {key!r}, which the released DRAN does not have. "
        "Expected names such as 'inputLayer.0.weight', 'block1.0.weight', 'noiseGate1.conv2d.bias'."
    )


def network_from_released(state: Mapping[str, Tensor]) -> DRAN:
    """Build the network that a released checkpoint was trained as.

    Parameters
    ----------
    state : mapping
        Its state dict; a leading ``module.`` (DataParallel) is accepted.

    Returns
    -------
    DRAN
        With ``share_blocks=True`` and the other switches of
        :meth:`DRAN.released`, in evaluation mode.

    Raises
    ------
    WeightsError
        Names or shapes do not fit.
    """
    renamed = {}
    for key, value in state.items():
        if (name := _rename(key.removeprefix("module."))) is not None:
            # Attention layers are 1 x 1 convolutions there, linear layers here.
            linear = name.endswith(("squeeze.weight", "excite.weight"))
            renamed[name] = value[:, :, 0, 0] if linear else value
    if "head.weight" not in renamed:
        raise WeightsError("The checkpoint has no 'inputLayer.0.weight': it is not a DRAN.")
    network = DRAN.released(channels=renamed["head.weight"].shape[1])
    try:
        network.load_state_dict(renamed)
    except RuntimeError as error:
        raise WeightsError(f"The checkpoint does not fit the released DRAN: {error}") from error
    return network.eval()
