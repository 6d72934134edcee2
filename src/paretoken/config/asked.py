"""What a trained study asks: the parts of a generated world, registered benchmarks, tasks of others."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, StrictBool, model_validator

from paretoken.config.fields import Count, Name, Number, Record, Text, check_registered, problem
from paretoken.config.safe_paths import ConfigPath
from paretoken.registry import BENCHMARKS

#: The benchmark of a generated world, and its parts: kinds of questions, which suites average.
WORLD = "world"
WORLD_PARTS = ("fact", "number", "property", "read_sparse", "read_dense", "name")
#: Benchmarks without a data set on a hub: the world's, and a way to score any answers.
MADE_HERE = (WORLD, "exact_match")

Harness = Literal["paretoken", "lmms_eval"]
#: Names of tasks of another harness; they become names of files and wildcards.
HARNESS_NAME = re.compile(r"[a-z0-9_]+")
#: Harness -> the keys that mean something to the other one only.
KEYS_OF_OTHERS = {
    "paretoken": ("task", "metric", "maximum", "include", "allow_code", "count"),
    "lmms_eval": ("source", "revision", "questions", "scoring"),
}

INCLUDE_RUNS_CODE = (
    "include: task files of lmms_eval name Python functions (!function), which run with all rights of "
    "the user; read them, then add allow_code: true, or take include out"
)

NO_COUNT = (
    "count: is missing: the time of jobs is reckoned from how many questions a task of lmms_eval asks; "
    "write count: and their number, or limit: to ask only so many"
)


def benchmarks_of(generated: bool) -> list[str]:
    """Return what suites can average: the parts of a generated world, or every data set."""
    if generated:
        return list(WORLD_PARTS)
    return [name for name in BENCHMARKS if name not in MADE_HERE]


class BenchmarkSettings(Record):
    """What a study does differently for one benchmark than its registered conventions."""

    name: Text = Field(description="A registered benchmark that some suite averages, or a new name.")
    harness: Harness = Field(
        default="paretoken",
        description="Who asks and scores. lmms_eval: one of its tasks, under a name of its own.",
    )
    source: ConfigPath | None = Field(
        default=None, description="Where its data set is: a hub's id, or a local directory."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    questions: Name | None = Field(
        default=None, description="A variant of what is asked (another split, or prompt): asks again."
    )
    scoring: Name | None = Field(
        default=None, description="A variant of how answers are scored: scores the stored answers again."
    )
    limit: Count | None = Field(default=None, description="Ask only so many questions, for a trial.")
    task: Text | None = Field(default=None, description="lmms_eval: the task; by default the name.")
    count: Count | None = Field(
        default=None, description="lmms_eval: how many questions the task asks, which plans need."
    )
    metric: Text | None = Field(
        default=None, description="lmms_eval: which metric is the score, if the task has several."
    )
    maximum: Number | None = Field(
        default=None, description="lmms_eval: what the metric can reach, such as 100 (default 1)."
    )
    include: ConfigPath | None = Field(
        default=None,
        description="lmms_eval: a folder of task files besides its own; a path. Task files run Python: "
        "needs allow_code.",
    )
    allow_code: StrictBool | None = Field(
        default=None, description="lmms_eval: whether the code of the task files in include may run."
    )

    @model_validator(mode="after")
    def _fits_harness(self) -> Self:
        if self.harness == "paretoken":
            check_registered(self.name, BENCHMARKS, "benchmark")
        elif self.name in BENCHMARKS or not HARNESS_NAME.fullmatch(self.name):
            raise problem(
                f"{self.name!r} cannot name a task of lmms_eval: write another name, of a-z, 0-9 and _ "
                "and not one of this project's benchmarks, and put the task under `task:`"
            )
        wrong = [key for key in KEYS_OF_OTHERS[self.harness] if getattr(self, key) is not None]
        if wrong:
            raise problem(f"{', '.join(wrong)}: not for harness: {self.harness}; take it out")
        if self.harness == "lmms_eval" and self.count is None and self.limit is None:
            raise problem(NO_COUNT)
        if self.include is not None and not self.allow_code:
            raise problem(INCLUDE_RUNS_CODE)
        if self.allow_code and self.include is None:
            raise problem("allow_code: there is no include whose code could run; take it out")
        return self
