"""The script of a job, which records the owner of the results and keeps the logs of earlier starts.

Snakemake inside the job removes a rule's log before it starts the rule. SLURM starts a job again after a
preemption or a failure of its node, and the driver after a failure. In the end one log holds all starts,
with a line for each. While a job runs, and after it was killed, the log holds the last start, and
`<log>.earlier` those before it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from paretoken.io.ownership import OWNER

#: Folder, in a project, of the files that name the owner of each job's results.
OWNERS = Path(".snakemake", "owners")
#: Suffix of the log of earlier starts, after the log's own name.
EARLIER = ".earlier"
#: Prefix of the line that a start writes into its log.
START = "== SLURM job "

_SCRIPT = """#!/bin/sh
cd {folder} || {{ echo "a later driver has removed this job's folder: nothing is done" >&2; exit 1; }}
trap : TERM  # also sent to Snakemake: this shell waits for it, and then ends the log
token="$SLURM_JOB_ID.${{SLURM_RESTART_COUNT:-0}}.$SLURMD_NODENAME"
start=$((${{SLURM_RESTART_COUNT:-0}} + 1))
line="{begin}$SLURM_JOB_ID, start $start, on $SLURMD_NODENAME, $(date)"
printf '%s\\n' "$line"
{variable}="$token"
for owner in {owners}; do
    mkdir -p "${{owner%/*}}" && printf %s "$token" > "$owner.$token" || exit 1
    mv "$owner.$token" "$owner" || exit 1
    {variable}="${variable}
$owner"
done
export {variable}
keep() {{
    [ ! -L "$1" ] && [ ! -L "$1{earlier}" ] || return 1
    [ ! -f "$1" ] || cat "$1" >> "$1{earlier}" || return 1
    [ -z "$2" ] || printf '%s\\n' "$2" >> "$1{earlier}"
}}
for log in {logs}; do
    mkdir -p "${{log%/*}}" && keep "$log" "$line" && rm -f "$log"
done
{command}
status=$?
for owner in {owners}; do
    [ "$(cat "$owner")" = "$token" ] || exit $status
done
[ $status = 0 ] || rm -rf {outputs}
for log in {logs}; do
    [ ! -f "$log{earlier}" ] || {{ keep "$log" "" && mv "$log{earlier}" "$log"; }}
done
exit $status
"""


def job_script(
    command: str,
    folder: Path,
    owners: Sequence[Path],
    logs: Sequence[Path],
    outputs: Sequence[Path],
) -> str:
    """Return a script for `sh`.

    Args:
        command: one or more lines for the shell, which run the job.
        folder: its working directory. If the directory does not exist, the driver was killed and a later
            one has removed it: the job must not remove the results of the later job.
        owners: absolute paths of the files that name the owner of the job's results.
        logs: absolute paths of its rules' logs.
        outputs: absolute paths of its rules' outputs. A job that fails removes them, since Snakemake
            inside the job has removed the marks of incomplete files.
    """
    return _SCRIPT.format(
        owners=_quoted(owners),
        logs=_quoted(logs),
        outputs=_quoted(outputs),
        command=command,
        folder=shlex.quote(str(folder)),
        variable=OWNER,
        earlier=EARLIER,
        begin=START,
    )


def last_start(text: str) -> str:
    """Return the part of a log that its last start wrote."""
    place = text.rfind(f"\n{START}")
    return text if place < 0 else text[place + 1 :]


def _quoted(paths: Sequence[Path]) -> str:
    return shlex.join(str(path) for path in paths)
