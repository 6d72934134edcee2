"""Running SLURM's commands: their environment, their time limit, and the meaning of their errors."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

#: Prefixes of variables that SLURM's commands take for options (their manuals, section "input
#: environment variables"), and that SLURM sets in a job. In a user's shell they change requests.
OPTIONS = (
    "PMI_", "PMIX_", "SACCT_", "SALLOC_", "SBATCH_", "SCANCEL_", "SCONTROL_", "SINFO_", "SLURMD_",
    "SLURM_", "SQUEUE_", "SRUN_", "SSTAT_",
)  # fmt: skip
#: Variables that locate SLURM and authenticate the user, but do not change requests.
KEPT = {"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_SACK_SOCKET"}
#: Other variables that SLURM sets in a job with GPUs, such as the one that the driver may run in.
DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
)
LIMIT_S = 60.0
#: Errors of SLURM's commands after which a later attempt may succeed, by cause. After the first three, a
#: submission may have been accepted nevertheless.
TEMPORARY = {
    "the controller is away or starts": (
        r"Unable to contact slurm|(Slurm )?backup controller in standby|Slurm controller not responding|"
        r"communication connection failure|Communication shutdown failure|"
        r"Message (receive|send) failure|Controller is in standby mode|shutting down|"
        r"Could not get cluster information"
    ),
    "the network": (
        r"Socket timed out|Connection (refused|reset|timed out)|Zero Bytes were transmitted|"
        r"Transport endpoint|Unexpected message rec(ei|ie)ved|Insane message length|Broken pipe|"
        r"Resource temporarily unavailable|No route to host|Unexpected missing socket|"
        r"Connection rejected by handler"
    ),
    "authentication (munge) is away": (
        r"Protocol authentication error|Munge encode failed|Munge decode failed|"
        r"auth/munge|Invalid authentication credential|auth_g_(create|verify)|Authentication plugin|"
        r"Authentication credential expired|sack socket"
    ),
    "a limit of submitted jobs": (
        r"(Assoc|QOS)?(Max|Grp)?Submit\w*(Limit|PerUser|PerAccount)|MaxSubmitJob|GrpSubmitJobs|"
        r"Job violates accounting/QOS policy \(job submit limit|Maximum number of jobs exceeded|"
        r"MaxJobCount limit reached|Slurm temporarily unable to accept job"
    ),
    "nodes or a partition are away": (
        r"Required partition not available|partition configuration not available now|"
        r"Required node not available|reservation not usable now"
    ),
    "the controller's disk or memory": (
        r"I/O error writing script|Error writing job script|write error|No space left on device|"
        r"Cannot allocate memory|Unable to create job record"
    ),
    "the database is away": r"[Pp]roblem talking to the database",
    "SLURM says so": (
        r"temporarily (unavailable|unable)|try again|Job submission rate|Rate limit exceeded"
    ),
}
LATER = re.compile("|".join(TEMPORARY.values()), re.IGNORECASE)
LOST = re.compile("|".join([*TEMPORARY.values()][:3]), re.IGNORECASE)
#: A limit of one job's size or time. Sites that reject at once (`DenyOnLimit`) name it in the same
#: message as the limit of submitted jobs.
SIZE = re.compile(r"\b(Assoc|QOS)(Max|Min|Grp)(?!\w*Submit)\w+")
#: Errors after which no later attempt will succeed: the command itself is wrong.
HOPELESS = re.compile(
    r"(unrecognized|invalid|unknown|ambiguous) (option|long option|argument)|requires an argument|"
    r"Invalid \w+ specified|process configuration file",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Answer:
    """The result of a command of SLURM's.

    Attributes:
        output: its standard output; None if it failed.
        complaint: its error message in one line, after its name; or why it could not be run.
        temporary: whether it is known that a later attempt may succeed.
        lost: whether it may have succeeded although its answer was lost.
    """

    output: str | None
    complaint: str = ""
    temporary: bool = False
    lost: bool = False

    @property
    def hopeless(self) -> bool:
        """Whether it is known that no later attempt succeeds; other errors may be neither."""
        return bool(self.output is None and not self.temporary and HOPELESS.search(self.complaint))


def ask(command: Sequence[str], text: str = "", limit_s: float = LIMIT_S) -> Answer:
    """Run a command of SLURM's, and return its result.

    Bytes that are not UTF-8 are replaced: names of jobs may contain any. Environment variables that
    SLURM's commands take for options are removed.

    Args:
        command: program and arguments.
        text: its standard input.
        limit_s: seconds after which it is killed.
    """
    environment = dict(os.environ)
    clean(environment)
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            timeout=limit_s,
            check=False,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the driver only and interrupts no submission
        )
    except subprocess.TimeoutExpired:
        return Answer(None, f"{command[0]} did not answer within {limit_s:g} s", True, lost=True)
    except OSError as error:
        return Answer(None, f"{command[0]} cannot be run: {error.strerror or error}")
    output, said = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if done.returncode == 0:
        return Answer(output)
    said = " ".join(said.split()) or f"failed with exit code {done.returncode}"
    complaint = said if said.startswith(f"{command[0]}:") else f"{command[0]}: {said}"
    killed = done.returncode < 0  # for example by the memory guard of a login node
    temporary = killed or (bool(LATER.search(complaint)) and not SIZE.search(complaint))
    return Answer(None, complaint, temporary, killed or (temporary and bool(LOST.search(complaint))))


def cluster_option(clusters: str | None) -> list[str]:
    """Return the option that selects a cluster, on sites with several; empty for None."""
    return [f"--clusters={clusters}"] if clusters else []


def clean(environment: MutableMapping[str, str]) -> list[str]:
    """Remove variables that change the meaning of SLURM's commands; return their names.

    In the environment of a job, the variables of its devices are removed, too: jobs get their own.
    """
    inside = "SLURM_JOB_ID" in environment
    found = sorted(name for name in environment if name.startswith(OPTIONS) and name not in KEPT)
    found += [name for name in DEVICES if inside and name in environment]
    for name in found:
        del environment[name]
    return found


def requests_of(names: Sequence[str], inside: bool) -> list[str]:
    """Return the removed variables that a user may have meant as a request.

    Args:
        names: names of the removed variables.
        inside: whether the driver runs in a job, whose variables SLURM itself has set.
    """
    prefixes = ("SBATCH_",) if inside else ("SBATCH_", "SLURM_", "SRUN_")
    return [name for name in names if name.startswith(prefixes)]


def in_job(environment: Mapping[str, str]) -> bool:
    """Whether an environment is that of a SLURM job."""
    return "SLURM_JOB_ID" in environment
