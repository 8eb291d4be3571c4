"""Weight files: safetensors with a card that says what the weights are.

Nothing is ever unpickled, except a foreign checkpoint that a user imports, and
that one with ``weights_only=True``.
"""

from __future__ import annotations

from .card import Card, require_task
from .foreign import (
    import_bundle,
    import_checkpoint,
    import_state_dict,
    import_weights,
    read_pickled,
)
from .networks import ARCHITECTURES, build_network
from .own import own_weights_folder, user_folder
from .store import (
    CARD_KEY,
    SUFFIX,
    list_weights,
    load_weights,
    read_card,
    save_weights,
    weights_file,
)

__all__ = [
    "ARCHITECTURES",
    "CARD_KEY",
    "SUFFIX",
    "Card",
    "build_network",
    "import_bundle",
    "import_checkpoint",
    "import_state_dict",
    "import_weights",
    "list_weights",
    "load_weights",
    "own_weights_folder",
    "read_card",
    "read_pickled",
    "require_task",
    "save_weights",
    "user_folder",
    "weights_file",
]
