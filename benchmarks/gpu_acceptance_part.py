"""Run the checks of one part of `gpu_acceptance` in this process, and print each result as it comes."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from importlib import import_module
from typing import Any

from gpu_checks import Check, results_only, run_checks

STARTED = time.monotonic()
#: Exit code after an error that leaves the GPU unusable in this process.
UNUSABLE = 3
#: Part -> the module whose function ``checks`` lists its checks.
MODULES = {
    "compressors": "gpu_compressors",
    "steps": "gpu_steps",
    "resume": "gpu_resume",
    "answers": "gpu_answers",
    "latency": "gpu_latency",
    "invariance": "gpu_invariance",
}


def main() -> None:
    """Run the part that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=list(MODULES))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--begin", type=int, default=0)
    arguments = parser.parse_args()

    def left() -> float:
        return float(arguments.seconds - (time.monotonic() - STARTED))

    with results_only(sys.stdout) as emit:
        checks = checks_of(arguments.part, arguments.tiny)
        emit({"checks": [check.name for check in checks], "machine": machine()})
        run_checks(checks, emit, left, recover, arguments.begin)


def checks_of(part: str, tiny: bool) -> list[Check]:
    """Return the checks of a part, in the order in which they are run."""
    from paretoken.commands.runtime import quiet

    quiet()
    import torch

    from random_models import FULL, TINY

    if tiny:
        torch.set_num_threads(1)  # threads that wait for each other are slower than one
    elif not torch.cuda.is_available():
        sys.exit("this machine has no GPU; use --tiny to run tiny shapes on a CPU")
    found: list[Check] = import_module(MODULES[part]).checks(TINY if tiny else FULL)
    return found


def machine() -> dict[str, Any]:
    """Return the device, its published peak and its memory, and CUDA's version."""
    import torch

    from paretoken.train.speed import this_device

    name, known = this_device()
    facts: dict[str, Any] = {"device": name, "peak_tflops": known and known.peak_tflops}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        facts |= {"cuda": torch.version.cuda, "memory_gib": total / 2**30, "free_gib": free / 2**30}
    return facts


def recover() -> None:
    """Free the memory of a finished check; leave the process if the GPU no longer works."""
    import torch

    gc.collect()
    if not torch.cuda.is_available():
        return
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    except RuntimeError as error:  # CUDA errors are; after one, each call fails
        print(f"the device no longer works: {error}", file=sys.stderr, flush=True)
        os._exit(UNUSABLE)  # an ordinary exit would wait for the device


if __name__ == "__main__":
    main()
