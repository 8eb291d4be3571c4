"""Entry point of the command: ``napari-dran`` or ``python -m napari_dran``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from .cli import app

        app(prog_name="napari-dran")
    except KeyboardInterrupt:  # while still importing
        sys.exit(130)


if __name__ == "__main__":
    main()
