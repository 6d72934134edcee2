"""`paretoken latency`: seconds per answer over N x V x Q x batch, on the device at hand."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from paretoken.commands.arguments import batch, repeats, size, some_tokens, threads, tokens
from paretoken.commands.runtime import counter, limit_threads, quiet
from paretoken.errors import UserError
from paretoken.io.escape import csv_row
from paretoken.io.files import require_writable
from paretoken.study.contract import LATENCY_COLUMNS, LATENCY_SPREAD

#: Torch's names of number formats.
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--shapes", type=Path, required=True,
                        help="shapes.json of a study, or of `paretoken shapes --n`")  # fmt: skip
    parser.add_argument("--n", type=size, nargs="+", help="sizes, billions; else all of --shapes")
    parser.add_argument("--v", type=some_tokens, nargs="+", required=True, help="visual tokens")
    parser.add_argument("--q", type=tokens, nargs="+", default=[0, 50, 200], help="text tokens")
    parser.add_argument("--batch", type=batch, nargs="+", default=[1], help="questions at once")
    parser.add_argument("--repeats", type=repeats, default=10, help="runs, of which the median counts")
    parser.add_argument("--dtype", choices=list(DTYPES),
                        help="of the weights; else bf16 on a GPU, fp32 on a processor")  # fmt: skip
    parser.add_argument("--threads", type=threads, help="CPU threads; else torch's choice")
    parser.add_argument("--out", type=Path, required=True, help="latency.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Measure, and write the table after each size: an interrupted run keeps the sizes it has."""
    a = arguments
    for name in ("v", "q", "batch"):
        setattr(a, name, sorted(set(getattr(a, name))))
    from paretoken.costs.models.deployment import read_shapes

    shapes = read_shapes(a.shapes)
    chosen = [llm for llm in shapes.by_size if a.n is None or llm.params_b in a.n]
    known = ", ".join(f"{llm.params_b:g}" for llm in shapes.by_size)
    if not chosen or (a.n and len(chosen) < len(set(a.n))):
        raise UserError(f"--n: {a.shapes} knows the sizes {known}; write some of these")
    _require_reachable(a.v, shapes.adapter.compressor, shapes.encoder.side)
    require_writable(a.out)
    quiet()
    limit_threads(a.threads)
    import torch

    from paretoken.evaluate.latency_grid import Grid, measure_grid
    from paretoken.io.files import write_text
    from paretoken.io.versions import versions

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = a.dtype or ("bf16" if device.type == "cuda" else "fp32")
    common = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else _processor_name(),
        "dtype": dtype,
        "versions": " ".join(f"{k}={v}" for k, v in versions("torch", "transformers").items()),
    }
    grid = Grid(a.v, a.q, a.batch, a.repeats)
    progress, rows = counter("latency"), []
    for llm in chosen:
        for row in measure_grid(shapes, llm, grid, device, getattr(torch, DTYPES[dtype])):
            rows.append(row | common)
            progress(len(rows), len(chosen) * len(grid))
        write_text(a.out, _csv(rows))
    lost = sum("prefill_s" not in row for row in rows)
    print(f"{a.out}: {len(rows)} combinations on {common['device']}")
    if lost:
        print(f"{lost} combinations did not fit the device; their cells are empty", file=sys.stderr)


def _require_reachable(tokens: list[int], compressor: str, side: int) -> None:
    from paretoken.compressors.reach import reachable_tokens

    reachable = reachable_tokens(compressor, side)
    wrong = [V for V in tokens if V not in reachable]
    if wrong:
        raise UserError(
            f"--v: {compressor} cannot make {', '.join(map(str, wrong))} tokens of a {side} x {side} "
            f"grid; write some of {', '.join(map(str, reachable))}"
        )


def _csv(rows: list[dict[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*LATENCY_COLUMNS, *LATENCY_SPREAD], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(csv_row, rows))
    return stream.getvalue()


def _processor_name() -> str:
    """Return what the processor calls itself, and how many threads are used of it."""
    import platform

    import torch

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {torch.get_num_threads()} threads"
