"""The names of what is in the folder of a run."""

from ..weights import SUFFIX

CHECKPOINT = "checkpoint.ckpt"
BEST = f"best{SUFFIX}"
LOG = "log.csv"
