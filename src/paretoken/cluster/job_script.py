"""The script of a job: it says who owns the results, and keeps the logs of earlier starts.

Snakemake inside the job removes a rule's log before it starts the rule. SLURM starts a job again after a
preemption or a failure of its node, and the driver after a failure: all of them are in one log in the
end, with a line for each start. While a job runs, the log holds this start, and `<log>.earlier` those
before it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from paretoken.ownership import OWNER

#: Folder of the files that name the owner of each job's results, in a project.
OWNERS = Path(".snakemake", "owners")
#: What a log of earlier starts is called, after the log's own name.
EARLIER = ".earlier"
#: How the line begins that a start writes into its log.
START = "== SLURM job "

_SCRIPT = """#!/bin/sh
token="$SLURM_JOB_ID.${{SLURM_RESTART_COUNT:-0}}.$SLURMD_NODENAME"
owner={owner}
mkdir -p "${{owner%/*}}" && printf %s "$token" > "$owner.$token" && mv "$owner.$token" "$owner" || exit 1
export {variable}="$token:$owner"
keep() {{
    [ -L "$1" ] || [ -L "$1{earlier}" ] || {{
        [ ! -f "$1" ] || cat "$1"
        [ -z "$2" ] || printf '%s\\n' "$2"
    }} >> "$1{earlier}"
}}
start=$((${{SLURM_RESTART_COUNT:-0}} + 1))
line="{begin}$SLURM_JOB_ID, start $start, on $SLURMD_NODENAME, $(date)"
for log in {logs}; do
    mkdir -p "${{log%/*}}" && keep "$log" "$line"
done
{command}
status=$?
if [ "$(cat "$owner")" = "$token" ]; then
    for log in {logs}; do
        [ ! -f "$log{earlier}" ] || {{ keep "$log" "" && mv "$log{earlier}" "$log"; }}
    done
fi
exit $status
"""


def job_script(command: str, owner: Path, logs: Sequence[Path]) -> str:
    """Return a script for `sh`.

    Args:
        command: one or more lines for the shell, which run the job.
        owner: absolute path of the file that names the owner of the job's results.
        logs: absolute paths of the logs of its rules.
    """
    quoted = shlex.join(str(path) for path in logs)
    return _SCRIPT.format(
        owner=shlex.quote(str(owner)),
        variable=OWNER,
        logs=quoted,
        command=command,
        earlier=EARLIER,
        begin=START,
    )
