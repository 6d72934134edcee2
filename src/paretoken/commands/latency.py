"""`paretoken latency`: measure seconds per answer over N x V x Q x batch on this device."""

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
from paretoken.io.text_tables import counted
from paretoken.study.contract import LATENCY_COLUMNS, LATENCY_SPREAD

#: Value of --dtype -> its name in torch.
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--shapes", type=Path, required=True, help="shapes.json of `paretoken shapes`, or of a study"
    )
    parser.add_argument(
        "--params-b",
        type=size,
        nargs="+",
        metavar="N",
        help="sizes, billions of parameters; without it all of --shapes",
    )
    parser.add_argument(
        "--tokens",
        type=some_tokens,
        nargs="+",
        required=True,
        metavar="V",
        help="visual tokens per image",
    )
    parser.add_argument(
        "--text-tokens",
        type=tokens,
        nargs="+",
        default=[0, 50, 200],
        metavar="Q",
        help="text tokens per question",
    )
    parser.add_argument("--batch", type=batch, nargs="+", default=[1], help="questions at a time")
    parser.add_argument("--repeats", type=repeats, default=10, help="runs of which the median is taken")
    parser.add_argument(
        "--dtype",
        choices=list(DTYPES),
        help="number format of the weights; else bf16 on a GPU, fp32 on a CPU",
    )
    parser.add_argument("--threads", type=threads, help="CPU threads; else torch's choice")
    parser.add_argument("--out", type=Path, required=True, help="latency.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Measure, and write the table after each size, so that an interrupted run keeps finished sizes."""
    a = arguments
    for name in ("tokens", "text_tokens", "batch"):
        setattr(a, name, sorted(set(getattr(a, name))))
    from paretoken.costs.models.deployment import read_shapes

    shapes = read_shapes(a.shapes)
    chosen = [llm for llm in shapes.by_size if a.params_b is None or llm.params_b in a.params_b]
    known = ", ".join(f"{llm.params_b:g}" for llm in shapes.by_size)
    if not chosen or (a.params_b and len(chosen) < len(set(a.params_b))):
        raise UserError(f"--params-b: {a.shapes} has the sizes {known}; choose from these")
    _require_reachable(a.tokens, shapes.adapter.compressor, shapes.encoder.side)
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
    grid = Grid(a.tokens, a.text_tokens, a.batch, a.repeats)
    progress, rows = counter("latency"), []
    for llm in chosen:
        for row in measure_grid(shapes, llm, grid, device, getattr(torch, DTYPES[dtype])):
            rows.append(row | common)
            progress(len(rows), len(chosen) * len(grid))
        write_text(a.out, _csv(rows))
    lost = sum("prefill_s" not in row for row in rows)
    print(f"{a.out}: {counted(len(rows), 'combination')} on {common['device']}")
    if lost:
        combinations = counted(lost, "combination")
        print(f"{combinations} did not fit into memory; their cells are empty", file=sys.stderr)


def _require_reachable(tokens: list[int], compressor: str, side: int) -> None:
    from paretoken.compressors.reach import reachable_tokens

    reachable = reachable_tokens(compressor, side)
    wrong = [V for V in tokens if V not in reachable]
    if wrong:
        raise UserError(
            f"--tokens: {compressor} cannot make {', '.join(map(str, wrong))} tokens of a "
            f"{side} x {side} grid; choose from {', '.join(map(str, reachable))}"
        )


def _csv(rows: list[dict[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*LATENCY_COLUMNS, *LATENCY_SPREAD], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(csv_row, rows))
    return stream.getvalue()


def _processor_name() -> str:
    """Return the name of the processor and the number of threads in use."""
    import platform

    import torch

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {torch.get_num_threads()} threads"
