"""The errors a user can meet.

Each message says what is wrong, what was found, what is allowed and what to do;
the command and the widgets show it as it is.

None of them is a RuntimeError: napari's generator workers swallow those.
"""

from __future__ import annotations


class DranError(Exception):
    """Base of every error that napari-dran raises on purpose."""


class InputError(DranError, ValueError):
    """An argument or an image that cannot be worked on."""


class WeightsError(DranError, ValueError):
    """Weights that are unknown, damaged, or made for other images."""


class DeviceError(DranError, ValueError):
    """A computing device that is not there."""


class OutOfMemoryError(DranError, MemoryError):
    """A single slice does not fit into the device's memory."""


class FileReadError(DranError, OSError):
    """A file that is missing, damaged, or of no known format."""


class FileWriteError(DranError, OSError):
    """A file that cannot be written."""


class OutputExistsError(FileWriteError, FileExistsError):
    """An output file is there already and was not to be overwritten."""


class Cancelled(DranError):
    """The user stopped the work; nothing was written."""


class TrainingError(DranError, ValueError):
    """Training that cannot start, or cannot go on."""


class MissingPackageError(DranError, ImportError):
    """An optional package that is not installed."""
