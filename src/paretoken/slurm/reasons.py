"""Why jobs wait: reasons that pass with time, that never pass, and that need a person.

Source: SLURM's own list, job_reason_codes.html of version 25.11 (older ones have fewer). An unknown
reason counts as one that may pass with time: such a job waits, and its reason is reported.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["never", "person", "held", "later"]

#: The request exceeds a limit, or asks for resources that the account may not use: it never runs.
NEVER = re.compile(
    r"(Assoc|QOS)Max\w*Per(Job|Node)(Limit)?"  # CPUs, memory, GPUs, minutes, wall time of one job
    r"|QOSMin\w+|MaxMemPerLimit"
    r"|AccountNotAllowed|QOSNotAllowed"
    r"|BadConstraints|DeadLine|DependencyNeverSatisfied|ReservationDeleted"
    r"|Partition(Config|NodeLimit|TimeLimit)"
)
#: SLURM itself holds the job, since starting it failed or it was started again too often.
HELD = re.compile(
    r"((launch[ _]failed|launch[ _]failure[ _]limit[ _]exceeded|user[ _]env[ _]retrieval[ _]failed|job)"
    r"[ _])?requeued[ _](in[ _])?held([ _]state)?|JobHoldMaxRequeue"
)
#: A user or an administrator has to do something.
PERSON = re.compile(
    r"InvalidAccount|InvalidQOS"  # checked again each time: a database may have been unavailable
    r"|uid \d+ not in group permitted to use this partition.*"  # so may the directory of users
    r"|JobHeld(User|Admin)|Partition(Down|Inactive)|NodeDown|ReqNodeNotAvail\b.*"
    r"|(Assoc|QOS)Grp\w*(?<!Run)Minutes(Limit)?|Association(Resource|Time)Limit|QOS(Resource|Time)Limit"
    r"|ReservationInvalid|Reservation \S{1,200} is invalid"
    r"|QOSUsageThreshold|AccountingPolicy|BurstBufferOperation|JobLaunchFailure|SystemFailure"
)


def kind_of(reason: str) -> Kind:
    """Return the kind of a reason to wait."""
    for kind, pattern in (("held", HELD), ("never", NEVER), ("person", PERSON)):
        if pattern.fullmatch(reason):
            return kind  # type: ignore[return-value]  # one of the names above
    return "later"


def limit_of(reason: str) -> str:
    """Return a reason to wait with its limit in words, if it is about a limit."""
    owner = {"Assoc": "the account's", "QOS": "the QOS's"}
    match = re.fullmatch(r"(Assoc|QOS)(Max|Min|Grp)(\w+?)(PerJob|PerNode|PerUser)?(Limit)?", reason)
    if match is None:
        return reason
    bound = {"Max": "largest", "Min": "smallest", "Grp": "joint"}[match[2]]
    per = {"PerJob": " of a job", "PerNode": " on a node", "PerUser": " of a user", None: ""}[match[4]]
    what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", match[3]).replace("Cpu", "CPU").replace("GRES", "GPU")
    return f"{reason}: {owner[match[1]]} {bound} {what}{per}"
