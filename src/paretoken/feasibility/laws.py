"""Rules on what is fitted: whether the cells determine the laws, and whether a law is of use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.points import Point, undetermined
from paretoken.needs import LAW_FACTS

#: The law of the paper's own grid search, which a study with published numbers repeats.
GRID_LAW = "product"

#: Families of language models, as the ids of their repositories begin; versions are told apart.
FAMILY = re.compile(
    r"(qwen|llama|vicuna|mistral|mixtral|gemma|phi|opt|pythia|smollm|tinyllama|internlm|yi|olmo|falcon)"
    r"(?:[-_ ]?v?(\d+(?:\.\d+)?)(?![\d.]*[bm]\b))?",
    re.IGNORECASE,
)


def laws_are_determined(subject: Subject) -> Iterator[Finding]:
    """Find laws that the cells of a suite cannot determine, once held-out sizes are taken away."""
    laws = list(subject.study.fit.laws)
    if subject.study.published is not None and laws and GRID_LAW not in laws:
        laws.append(GRID_LAW)
    measured = subject.study.measured is not None
    kind = Kind.FILE if measured else Kind.CONFIG
    # Without a table all suites have the cells of the grid: they are told of once.
    suites = subject.study.suites if measured else subject.study.suites[:1]
    for suite in suites if laws else []:
        try:
            points = subject.points(suite.name)
        except UserError:
            return  # the rule on tables tells why
        of_suite = f" of suite {suite.name}" if measured else ""
        yield from _missing_held_out(subject, suite.name, points)
        for which, chosen in _fits(subject, points):
            yield from _undetermined(subject, f"{which}{of_suite}", chosen, laws, kind)


def _fits(subject: Subject, points: list[Point]) -> Iterator[tuple[str, list[Point]]]:
    fitted = [point for point in points if point.llm not in subject.study.holdout]
    yield "the cells", fitted
    if any(point.flagged for point in fitted):
        yield "the cells without a flag", [point for point in fitted if not point.flagged]


def _undetermined(
    subject: Subject, which: str, points: list[Point], laws: list[str], kind: Kind
) -> Iterator[Finding]:
    for law in laws:
        parameters = LAW_FACTS[law].parameters
        reason = undetermined(points, parameters)
        if reason is not None:
            held = " (sizes under holdout are not fitted)" if subject.study.holdout else ""
            yield subject.finding(
                "fit.laws",
                f"{law} cannot be fitted to {which}: {reason}{held}; add sizes under llms or counts "
                f"under tokens, name a law with fewer parameters, or{_lawless(subject)} take {law} out",
                kind,
            )
        elif len({(p.N, p.V) for p in points}) == parameters:
            yield subject.finding(
                "fit.laws",
                f"{law} has {parameters} parameters, and {which} are as many: it goes through all of "
                "them, whatever they are, and nothing tests it; add sizes or token counts",
                Kind.WARNING,
            )
    if subject.study.fit.loss.startswith("log_") and any(p.error == 0 for p in points):
        yield subject.finding(
            "fit.loss",
            f"{subject.study.fit.loss} needs errors above 0, and {which} have one of 0; write "
            "squared, huber or l1",
            kind,
        )


def _lawless(subject: Subject) -> str:
    return " write laws: [] to compare methods, or" if subject.training is not None else ""


def _missing_held_out(subject: Subject, suite: str, points: list[Point]) -> Iterator[Finding]:
    for llm in subject.study.holdout:
        if points and llm not in {point.llm for point in points}:
            yield subject.finding(
                "holdout",
                f"{llm} has no measured cell of suite {suite}, so it cannot be held out; measure "
                "it, or name it under predict and take it out of llms",
                Kind.FILE,
            )


def laws_are_used(subject: Subject) -> Iterator[Finding]:
    """Find settings that rest on a law in a study without any."""
    study = subject.study
    if study.fit.laws:
        return
    for key in ("holdout", "predict"):
        if getattr(study, key):
            yield subject.finding(
                key,
                "the study fits no law (fit.laws is []), so nothing is held out or predicted; name a "
                f"law, or take {key} out",
                Kind.WARNING,
            )
    if getattr(study.training, "lengthened", []):
        yield subject.finding(
            "training.lengthened",
            "the best number of tokens by length of the question is compared with "
            "that of a law, and fit.laws is []; name a law, or take lengthened out",
        )


def sizes_are_different_models(subject: Subject) -> Iterator[Finding]:
    """Find one model that stands for several sizes of a law."""
    if not subject.study.fit.laws or subject.kind != "llava":
        return
    models: dict[tuple[str | None, str | None], list[str]] = {}
    for name in subject.study.llms:
        record = subject.frozen.llm(name)
        models.setdefault((record.hub, record.revision), []).append(name)
    for (hub, _), names in models.items():
        if hub is not None and len(names) > 1:
            yield subject.finding(
                "llms",
                f"{' and '.join(names)} are the same model, {hub}, under several sizes; a law in N "
                "needs a model of its own for each: correct hub in their records, or keep only one",
            )


def sizes_are_of_one_family(subject: Subject) -> Iterator[Finding]:
    """Warn of a law in N over sizes of several families, which differ in more than N."""
    if not subject.study.fit.laws:
        return
    families: dict[str, list[str]] = {}
    for name in (*subject.study.llms, *subject.study.predict):
        record = subject.frozen.llm(name)
        found = FAMILY.search((record.hub or name).rstrip("/").rpartition("/")[2]) or FAMILY.search(name)
        if found:
            families.setdefault(f"{found[1]}{found[2] or ''}".lower(), []).append(name)
    if len(families) > 1:
        told = "; ".join(f"{family}: {', '.join(names)}" for family, names in families.items())
        yield subject.finding(
            "llms",
            f"a law in N is fitted over sizes of several model families ({told}), which differ in more "
            "than their size; study them apart, unless that is what is asked",
            Kind.WARNING,
        )
