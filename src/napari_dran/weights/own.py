"""Where a user's own weights lie: they are known by the names of their files."""

from __future__ import annotations

import os
from pathlib import Path

HOME = "NAPARI_DRAN_HOME"
"""Environment variable that names another folder for what belongs to the user."""

FOLDER = "weights"


def user_folder() -> Path:
    """Return the folder of what belongs to the user; it need not exist.

    ``NAPARI_DRAN_HOME``, or the operating system's place for data of programs.
    """
    from platformdirs import user_data_path

    chosen = os.environ.get(HOME)
    return Path(chosen) if chosen else user_data_path("napari-dran", appauthor=False)


def own_weights_folder() -> Path:
    """Return the folder whose weights are listed beside the shipped ones; it need not exist."""
    return user_folder() / FOLDER
