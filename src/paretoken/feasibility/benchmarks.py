"""Rules on benchmarks: known variants under the right key, and sources that exist."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from paretoken.config.asked import BenchmarkSettings
from paretoken.errors import UserError
from paretoken.feasibility.backbones import local_folder, source_problem
from paretoken.feasibility.findings import Finding, Kind, Subject, path_of
from paretoken.feasibility.recipes import one_line
from paretoken.registry import BENCHMARKS, unknown_name

KEYS = ("questions", "scoring")


def variants_are_known(subject: Subject) -> Iterator[Finding]:
    """Find variants that a benchmark does not have, or that are under the wrong key."""
    for index, own in _settings(subject):
        for key in KEYS:
            name = getattr(own, key)
            if name is None:
                continue
            place, known = f"training.benchmarks[{index}].{key}", _variants(own)
            under_key = [variant for variant, right in known.items() if right == key]
            if name not in known:
                sentence = unknown_name(f"variant of {own.name} for {key}", name, under_key)
                yield subject.finding(place, sentence)
            elif known[name] != key:
                changes = "how answers are scored" if key == "questions" else "the questions"
                yield subject.finding(
                    place, f"{name!r} changes {changes}; write {known[name]}: {name} instead"
                )


def sources_exist(subject: Subject) -> Iterator[Finding]:
    """Find sources of questions that do not exist, and harnesses that are not installed."""
    for index, own in _settings(subject):
        place = f"training.benchmarks[{index}]"
        problem = None if own.source is None else _source_problem(own, own.source)
        if problem is not None:
            yield subject.finding(f"{place}.source", *problem)
        if own.include is not None and not path_of(own.include).is_dir():
            yield subject.finding(
                f"{place}.include",
                f"{own.include} is not a directory; write one with task files",
                Kind.FILE,
            )
        if own.harness == "lmms_eval" and find_spec("lmms_eval") is None:
            yield subject.finding(
                f"{place}.harness",
                "lmms_eval is not installed here; install it where the study runs (docs/lmms_eval.md)",
                Kind.WARNING,
            )


def _source_problem(own: BenchmarkSettings, source: str) -> tuple[str, Kind] | None:
    """Return the problem with a source of questions, if any; a data set on a hub is not checked."""
    problem, folder = source_problem(source, own.revision), local_folder(source)
    if problem is not None or folder is None:
        return problem
    from paretoken.evaluate.hub_questions import require_data_set

    questions = own.questions if own.questions in _variants(own) else None
    try:
        require_data_set(BENCHMARKS.load(own.name).variant(questions), folder)
    except UserError as error:
        return one_line(error), Kind.FILE
    return None


def _variants(own: BenchmarkSettings) -> dict[str, str]:
    """Return the key of each variant of a benchmark, by name."""
    registered = own.name in BENCHMARKS
    return {each.name: each.key for each in BENCHMARKS.load(own.name).variants} if registered else {}


def _settings(subject: Subject) -> Iterator[tuple[int, BenchmarkSettings]]:
    if subject.fetched:
        yield from enumerate(subject.training.benchmarks)
