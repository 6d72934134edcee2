"""Why a job waits: what time can mend, what it cannot, and what only a person can.

After SLURM's own list, job_reason_codes.html of version 25.11 (older ones have fewer). A reason that is
not known here counts as one that time may mend: such a job waits, and its reason is said.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["never", "person", "held", "later"]

#: The request itself exceeds a limit, or asks for what the account may not have: it never runs.
NEVER = re.compile(
    r"(Assoc|QOS)Max\w*Per(Job|Node)(Limit)?"  # CPUs, memory, GPUs, minutes, wall time of one job
    r"|QOSMin\w+|MaxMemPerLimit"
    r"|AccountNotAllowed|QOSNotAllowed"
    r"|BadConstraints|DeadLine|DependencyNeverSatisfied|ReservationDeleted"
    r"|Partition(Config|NodeLimit|TimeLimit)"
)
#: SLURM holds the job itself, since starting it failed or it was started again too often.
HELD = re.compile(
    r"((launch[ _]failed|launch[ _]failure[ _]limit[ _]exceeded|user[ _]env[ _]retrieval[ _]failed|job)"
    r"[ _])?requeued[ _](in[ _])?held([ _]state)?|JobHoldMaxRequeue"
)
#: A user or an administrator has to do something.
PERSON = re.compile(
    r"InvalidAccount|InvalidQOS"  # looked up again each time: a database may have been away
    r"|uid \d+ not in group permitted to use this partition.*"  # so may a directory of users
    r"|JobHeld(User|Admin)|Partition(Down|Inactive)|NodeDown|ReqNodeNotAvail\b.*"
    r"|(Assoc|QOS)Grp\w*(?<!Run)Minutes(Limit)?|Association(Resource|Time)Limit|QOS(Resource|Time)Limit"
    r"|ReservationInvalid|Reservation \S{1,200} is invalid"
    r"|QOSUsageThreshold|AccountingPolicy|BurstBufferOperation|JobLaunchFailure|SystemFailure"
)


def kind_of(reason: str) -> Kind:
    """Return what a reason to wait means for the job."""
    for kind, pattern in (("held", HELD), ("never", NEVER), ("person", PERSON)):
        if pattern.fullmatch(reason):
            return kind  # type: ignore[return-value]  # one of the names above
    return "later"


def limit_of(reason: str) -> str:
    """Return in words which limit a reason is about."""
    owner = {"Assoc": "the account's", "QOS": "the QOS's"}
    match = re.fullmatch(r"(Assoc|QOS)(Max|Min|Grp)(\w+?)(PerJob|PerNode|PerUser)?(Limit)?", reason)
    if match is None:
        return reason
    bound = {"Max": "largest", "Min": "smallest", "Grp": "joint"}[match[2]]
    per = {"PerJob": " of a job", "PerNode": " on a node", "PerUser": " of a user", None: ""}[match[4]]
    what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", match[3]).replace("Cpu", "CPU").replace("GRES", "GPU")
    return f"{reason}: {owner[match[1]]} {bound} {what}{per}"
