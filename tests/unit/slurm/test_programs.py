"""How SLURM is asked: refusals that a later attempt may not meet, and environments without requests."""

from __future__ import annotations

import sys

import pytest

from paretoken.slurm.programs import LATER, ask, clean, requests_of
from paretoken.slurm.reasons import kind_of, limit_of


@pytest.mark.parametrize(
    "text",
    [
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unexpected message received",
        "sbatch: error: Batch job submission failed: Protocol authentication error",
        "sbatch: error: auth/munge: Munge encode failed: Failed to access socket",
        "sbatch: error: Batch job submission failed: I/O error writing script/environment to file",
        "sbatch: error: AssocGrpSubmitJobsLimit",
        "sbatch: error: QOSGrpSubmitJobsLimit",
        "sbatch: error: MaxSubmitJobsPerAccount",
        "sbatch: error: QOSMaxSubmitJobPerUserLimit",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
    ],
)
def test_what_passes_is_tried_again(text: str) -> None:
    assert LATER.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "sbatch: error: invalid partition specified: gqu",
        "sbatch: error: Batch job submission failed: Invalid qos specification",
        "sbatch: error: Batch job submission failed: Requested node configuration is not available",
        "squeue: error: Invalid node format specification",
        "squeue: unrecognized option '--me'",
        "sbatch: error: Batch job submission failed: Access/permission denied",
    ],
)
def test_what_stays_is_not(text: str) -> None:
    assert not LATER.search(text)


@pytest.mark.parametrize(
    ("reason", "temporary"),
    [("AssocMaxSubmitJobLimit", True), ("QOSGrpSubmitJobsLimit", True), ("", True),
     ("QOSMaxWallDurationPerJobLimit", False), ("QOSMaxMemoryPerJob", False),
     ("AssocGrpCPULimit", False)],
)  # fmt: skip
def test_a_limit_of_size_is_not_a_limit_of_submitted_jobs(reason: str, temporary: bool) -> None:
    """SLURM has one text for both, where a site refuses at once (`DenyOnLimit`)."""
    text = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
    said = f"sbatch: error: {reason}\nsbatch: error: Batch job submission failed: {text}"
    answer = ask([sys.executable, "-c", f"import sys; sys.exit({said!r})"])
    assert (answer.temporary, answer.lost, answer.hopeless) == (temporary, False, False)


@pytest.mark.parametrize(
    "text", ["Socket timed out on send/recv operation", "Unexpected message received"]
)
def test_an_answer_that_is_lost_says_nothing_about_the_submission(text: str) -> None:
    assert ask([sys.executable, "-c", f"import sys; sys.exit({text!r})"]).lost


def test_answers_hold_any_bytes_and_say_why_there_are_none() -> None:
    odd = ask([sys.executable, "-c", r"import sys; sys.stdout.buffer.write(b'caf\xe9|\n')"])
    assert odd.output == "caf\N{REPLACEMENT CHARACTER}|\n"
    refused = ask([sys.executable, "-c", "import sys; sys.exit('squeue: error: Invalid user')"])
    assert refused.output is None
    assert refused.complaint == f"{sys.executable}: squeue: error: Invalid user"
    assert not refused.temporary
    slow = ask([sys.executable, "-c", "import time; time.sleep(60)"], limit_s=0.2)
    assert slow.temporary
    assert "did not answer within 0.2 s" in slow.complaint
    assert "cannot be run" in ask(["no-such-command-of-slurm"]).complaint


def test_an_environment_loses_what_changes_the_meaning_of_commands() -> None:
    own = {"SLURM_CONF": "/etc/s", "PATH": "/bin", "SQUEUE_STATES": "PD", "SBATCH_QOS": "x",
           "CUDA_VISIBLE_DEVICES": "0"}  # fmt: skip
    outside = dict(own)
    assert clean(outside) == ["SBATCH_QOS", "SQUEUE_STATES"]
    assert outside == {key: own[key] for key in ("SLURM_CONF", "PATH", "CUDA_VISIBLE_DEVICES")}
    inside = own | {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "1"}
    found = clean(inside)
    assert inside == {"SLURM_CONF": "/etc/s", "PATH": "/bin"}
    assert requests_of(found, inside=True) == ["SBATCH_QOS"]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("QOSMaxWallDurationPerJobLimit", "never"), ("AssocMaxCpuMinutesPerJobLimit", "never"),
        ("QOSMaxGRESPerNode", "never"), ("QOSMinGRES", "never"), ("PartitionTimeLimit", "never"),
        ("MaxMemPerLimit", "never"), ("InvalidQOS", "person"), ("AssocGrpCpuLimit", "later"),
        ("AssocGrpCPURunMinutesLimit", "later"), ("QOSMaxJobsPerUserLimit", "later"),
        ("Priority", "later"), ("Resources", "later"), ("None", "later"), ("ANewOne", "later"),
        ("AssocGrpCPUMinutesLimit", "person"), ("JobHeldUser", "person"), ("PartitionDown", "person"),
        ("ReqNodeNotAvail, UnavailableNodes:gpu[1-3]", "person"),
        ("launch failed requeued held", "held"), ("JobHoldMaxRequeue", "held"),
        ("launch failure limit exceeded requeued held", "held"), ("launch_failed_requeued_held", "held"),
        ("job requeued in held state", "held"), ("requeued in held state", "held"),
    ],
)  # fmt: skip
def test_reasons_to_wait_have_a_kind(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def test_a_limit_is_reported_in_words() -> None:
    assert limit_of("QOSMaxGRESPerNode") == "QOSMaxGRESPerNode: the QOS's largest GPU on a node"
    assert limit_of("Priority") == "Priority"
