"""The benchmarks of a trained study: registered ones, parts of a generated world, lmms_eval's tasks."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, StrictBool, model_validator

from paretoken.config.fields import Count, Name, Number, Record, Text, check_registered, problem
from paretoken.config.safe_paths import ConfigPath
from paretoken.registry import BENCHMARKS

#: The benchmark of a generated world, and its parts (kinds of questions), which suites average.
WORLD = "world"
WORLD_PARTS = ("fact", "number", "property", "read_sparse", "read_dense", "name")
#: Benchmarks without a data set on a hub: the world's, and a way to score any answers.
MADE_HERE = (WORLD, "exact_match")

Harness = Literal["paretoken", "lmms_eval"]
#: Allowed names of another harness's tasks; they become file names and wildcards.
HARNESS_NAME = re.compile(r"[a-z0-9_]+")
#: Harness -> the keys that only the other one supports.
KEYS_OF_OTHERS = {
    "paretoken": ("task", "metric", "maximum", "include", "allow_code", "count"),
    "lmms_eval": ("source", "revision", "questions", "scoring"),
}

INCLUDE_RUNS_CODE = (
    "include: task files of lmms_eval name Python functions (!function), which run with all of your "
    "permissions; read them, then add allow_code: true, or take include out"
)

NO_COUNT = (
    "count: is missing: the run time of jobs is estimated from the number of questions that a task of "
    "lmms_eval asks; write count: and that number, or limit: to ask fewer"
)


def benchmarks_of(generated: bool) -> list[str]:
    """Return the benchmarks that suites can average: parts of a generated world, or all data sets."""
    if generated:
        return list(WORLD_PARTS)
    return [name for name in BENCHMARKS if name not in MADE_HERE]


class BenchmarkSettings(Record):
    """The settings of one benchmark that differ from its registered conventions."""

    name: Text = Field(
        description="A registered benchmark that a suite averages, or a new name for an lmms_eval task."
    )
    harness: Harness = Field(
        default="paretoken",
        description="The program that asks and scores; lmms_eval: one of its tasks, under a new name.",
    )
    source: ConfigPath | None = Field(
        default=None, description="Where to fetch its data set: a hub's id, or a local directory."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    questions: Name | None = Field(
        default=None,
        description="Variant of the questions (another split or prompt); a change asks them again.",
    )
    scoring: Name | None = Field(
        default=None,
        description="Variant of the scoring; a change scores the stored answers again.",
    )
    limit: Count | None = Field(
        default=None, description="Ask at most this many questions, for a trial."
    )
    task: Text | None = Field(default=None, description="lmms_eval: the task (default: the name).")
    count: Count | None = Field(
        default=None, description="lmms_eval: number of questions that the task asks, for plans."
    )
    metric: Text | None = Field(
        default=None, description="lmms_eval: the metric that is the score, if the task has several."
    )
    maximum: Number | None = Field(
        default=None,
        description="lmms_eval: largest possible value of the metric, such as 100 (default 1).",
    )
    include: ConfigPath | None = Field(
        default=None,
        description="lmms_eval: path of a folder with additional task files. Task files run Python, so "
        "this needs allow_code.",
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
                f"{self.name!r} cannot name a task of lmms_eval: write another name of a-z, 0-9 and _ "
                "that is not one of this project's benchmarks, and put the task under `task:`"
            )
        wrong = [key for key in KEYS_OF_OTHERS[self.harness] if getattr(self, key) is not None]
        if wrong:
            raise problem(f"{', '.join(wrong)}: not supported with harness: {self.harness}; take it out")
        if self.harness == "lmms_eval" and self.count is None and self.limit is None:
            raise problem(NO_COUNT)
        if self.include is not None and not self.allow_code:
            raise problem(INCLUDE_RUNS_CODE)
        if self.allow_code and self.include is None:
            raise problem("allow_code: there is no include whose code could run; take it out")
        return self
