"""All targets of fuzzing, with their shares of the cases (slow ones get fewer)."""

from __future__ import annotations

from functools import partial

from fuzzing.answers import predict
from fuzzing.cases import Target
from fuzzing.configs import check, plan
from fuzzing.conversations import tokenize
from fuzzing.downloads import data
from fuzzing.encoding import features
from fuzzing.hub import questions
from fuzzing.scores import score
from fuzzing.training import train
from fuzzing.world import TABLES

BENCHMARKS = tuple(TABLES)
TARGETS: dict[str, Target] = {
    "tokenize": tokenize,
    "data": data,
    "features": features,
    **{f"questions-{name}": partial(questions, name) for name in BENCHMARKS},
    **{f"score-{name}": partial(score, name) for name in ("exact_match", *BENCHMARKS)},
    "predict": predict,
    "train": train,
    "check": check,
    "plan": plan,
}
#: Shares of 100 cases; the other targets share the rest equally.
SHARES = {"tokenize": 20, "data": 6, "features": 4, "predict": 6, "train": 4, "check": 16, "plan": 4}


def counts(cases: int, names: tuple[str, ...] = tuple(TARGETS)) -> dict[str, int]:
    """Return the number of cases of each target, at least one."""
    others = [name for name in TARGETS if name not in SHARES]
    rest = (100 - sum(SHARES.values())) / len(others)
    return {name: max(1, round(cases * SHARES.get(name, rest) / 100)) for name in names}
