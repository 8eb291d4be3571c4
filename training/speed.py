"""Time a training step in every form: ``python training/speed.py --device cuda``.

Prints steps a second, the share of the device's measured peak (a large matrix
product) that the convolutions reach, and memory. Ratios hold within one run only.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from napari_dran.denoising.devices import choose_device
from napari_dran.network.dran import DRAN
from napari_dran.training.crops import NoisyCrops
from napari_dran.training.data import read_folder
from napari_dran.training.recipe import Recipe
from napari_dran.training.step_speed import FORMS, gemm_peak, step_operations, step_seconds

DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--precision", nargs="+", default=["bf16"], choices=list(DTYPES))
    parser.add_argument("--compile", action="store_true", help="torch.compile as well (slow start)")
    parser.add_argument("--corpus", default="../shared/corpus", type=Path)
    options = parser.parse_args()
    device, batch, crop = choose_device(options.device), options.batch, options.crop
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{name}, torch {torch.__version__}, {batch} crops of {crop} x {crop}\n")
    network = DRAN(1)
    operations = step_operations(network, batch, crop)
    print("| precision | form | channels last | compiled | steps/s | share of GEMM peak | GiB |")
    print("|---|---|---|---|---|---|---|")
    for precision in options.precision:
        peak = gemm_peak(device, DTYPES[precision])
        for form in FORMS:
            network.set_convolution(form)
            for last in (False, True):
                for compiled in (False, True) if options.compile else (False,):
                    if device.type == "cuda":
                        torch.cuda.reset_peak_memory_stats(device)
                    seconds = step_seconds(
                        network, batch, crop, device, DTYPES[precision],
                        channels_last=last, compiled=compiled,
                    )  # fmt: skip
                    memory = (
                        f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f}"
                        if device.type == "cuda"
                        else ""
                    )
                    print(
                        f"| {precision} | {form} | {'yes' if last else 'no'} "
                        f"| {'yes' if compiled else 'no'} | {1 / seconds:.2f} "
                        f"| {operations / seconds / peak:.0%} | {memory} |",
                        flush=True,
                    )
        print(f"\nPeak of a matrix product in {precision}: {peak / 1e12:.2f} TFLOP/s")
    if (options.corpus / "train").is_dir():
        recipe = Recipe(batch=batch, crop=crop, other_kind="use")
        crops = NoisyCrops(read_folder(options.corpus / "train", recipe, print), 1, recipe, device)
        crops.batch(batch, 0)
        start = time.perf_counter()
        for step in range(20):
            noisy, _ = crops.batch(batch, step)
        float(noisy.sum())  # waits for the device
        print(f"Making a batch of noisy crops: {(time.perf_counter() - start) / 20 * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
