"""`paretoken status`: show the progress of a study, stage by stage."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from paretoken.commands.arguments import wait
from paretoken.config.config import load
from paretoken.io.escape import redacted, terminal
from paretoken.jobs.signs_of_life import gather_signs
from paretoken.jobs.status_pages import as_json, as_text
from paretoken.jobs.study_status import study_status

CLEAR = "\x1b[2J\x1b[H"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", required=True, metavar="NAME", help="name of the study in the config")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="the config file")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text to read, or data for programs"
    )
    parser.add_argument(
        "--quiet-minutes",
        type=wait,
        help="how old the last heartbeat of a running job may be; 2 by default, and more if the clocks "
        "of machines differ",
    )
    parser.add_argument("--watch", action="store_true", help="refresh until the study is finished")
    parser.add_argument(
        "--every", type=wait, default=10.0, metavar="S", help="seconds between refreshes"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the progress of the study once, or repeatedly with --watch."""
    a = arguments
    config = load(a.config)
    config.study(a.study)
    quiet_s = None if a.quiet_minutes is None else 60 * a.quiet_minutes
    try:
        while True:
            found = study_status(config, config.study(a.study), gather_signs(Path(), quiet_s))
            page = redacted(as_json(found)) if a.format == "json" else terminal(as_text(found))
            sys.stdout.write(CLEAR + page if a.watch and sys.stdout.isatty() else page)
            sys.stdout.flush()
            if not a.watch or found.finished:
                return
            time.sleep(a.every)
    except KeyboardInterrupt:  # the usual end of --watch
        if not a.watch:
            raise
