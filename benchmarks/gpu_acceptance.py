"""Try everything that needs a GPU, within minutes, and write what happened to a JSON report.

    python benchmarks/gpu_acceptance.py --minutes 8 --out report.json

It needs one GPU, no network and no installation of this project: a checkout, and a Python with PyTorch,
transformers (which brings huggingface_hub, numpy, PyYAML, safetensors and tokenizers), accelerate,
pydantic and Jinja2. Weights, pictures and texts are random. The parts, in this order:

1. ``compressors``: each registered compressor, forward and backward in bf16 at CLIP-L's width, up to
   36,864 visual tokens at a time, against fp32 for some of the images;
2. ``steps``: training steps of Qwen1.5-0.5B to 7B, stages 1 and 2, padded and packed: tokens per second,
   MFU, and the peak of the memory beside the forecast by which `plan` and `train` go;
3. ``resume``: a run that is stopped in the middle and resumed, against one that is not stopped;
4. ``answers``: questions per second, and how often pictures are encoded;
5. ``latency``: seconds per answer over N, V, Q and batch, beside the seconds of `plan`;
6. ``invariance``: the same questions in other batches.

Each part is a process of its own with a limit of its time, so that neither a crash nor a hang takes the
others with it. A crash costs one check: the part goes on with the next one in a new process. Time that a
part leaves goes to the parts after it. The report is written after each part. Every check states its
rule; a check for which no time was left is not run, one that did not end in time has failed.

Exit code: 0 if nothing failed, 1 if something did, 2 for impossible arguments. ``--tiny`` runs the same
code with tiny shapes, also on a CPU.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gpu_acceptance_runs import Outcome, run_part

ROOT = Path(__file__).resolve().parents[1]
#: Parts in their order, and their shares of the time.
PARTS = {
    "compressors": 1.2, "steps": 3.6, "resume": 0.7, "answers": 1.1, "latency": 1.0, "invariance": 0.4,
}  # fmt: skip
#: Seconds within which a part is not worth starting: imports alone take longer.
SHORTEST_S = 1.0


def main(words: list[str] | None = None) -> int:
    """Run the parts that the command line selects, print a table and return the exit code."""
    sys.path.insert(0, str(ROOT / "src"))
    from gpu_acceptance_report import summary, write_report
    from paretoken.errors import UserError
    from paretoken.io.files import require_writable

    arguments = parse(words)
    try:
        require_writable(arguments.out)
    except UserError as error:
        print(f"error: --out: {error}", file=sys.stderr)
        return 2
    started = time.time()

    def command(part: str) -> list[str]:
        script = str(Path(__file__).with_name("gpu_acceptance_part.py"))
        return [sys.executable, script, part, *(["--tiny"] if arguments.tiny else [])]

    def keep(outcomes: list[Outcome]) -> None:
        write_report(arguments.out, outcomes, started, arguments.minutes, arguments.tiny)

    chosen = {name: share for name, share in PARTS.items() if name in arguments.parts}
    outcomes = run_parts(chosen, command, 60 * arguments.minutes, keep)
    print(summary(outcomes))
    print(f"report: {arguments.out}")
    return int(any(outcome.verdict == "fail" for outcome in outcomes))


def run_parts(
    shares: Mapping[str, float],
    command: Callable[[str], list[str]],
    seconds: float,
    keep: Callable[[list[Outcome]], None],
) -> list[Outcome]:
    """Run parts one after the other, and return what became of each.

    Args:
        shares: the parts and their shares of the time.
        command: returns the command line of a part.
        seconds: time for all parts.
        keep: called with all outcomes after each part, those of parts to come included.
    """
    outcomes = [Outcome(name, reason="its turn did not come") for name in shares]
    end, shared = time.monotonic() + seconds, dict(shares)
    for place, name in enumerate(shares):
        left = end - time.monotonic()
        limit = left * shared[name] / sum(shared.values())
        del shared[name]
        if limit < SHORTEST_S:
            outcomes[place] = Outcome(name, reason="no time was left")
        else:
            print(f"{name}: at most {limit:.0f} s", file=sys.stderr, flush=True)
            outcomes[place] = run_part(name, command(name), limit)
        keep(outcomes)
    return outcomes


def parse(words: list[str] | None) -> argparse.Namespace:
    """Return the arguments; exit with code 2 if they are impossible."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=minutes, default=8.0, help="time for all parts together")
    parser.add_argument("--out", type=Path, required=True, help="report to write (JSON)")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="all")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, also on a CPU")
    return parser.parse_args(words)


def minutes(text: str) -> float:
    """Return a number of minutes above 0, at most a day."""
    value = float(text)
    if not (math.isfinite(value) and 0 < value <= 24 * 60):
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {24 * 60}")
    return value


if __name__ == "__main__":
    sys.exit(main())
