"""Rules on fits: whether the cells determine the laws, and whether the laws are used."""

from __future__ import annotations

from collections.abc import Iterator

from paretoken.config.needs import LAW_FACTS
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.points import Point, undetermined
from paretoken.io.text_tables import counted
from paretoken.study.published import PAPER_LAW


def laws_are_determined(subject: Subject) -> Iterator[Finding]:
    """Find laws that the cells of a suite, without held-out sizes, cannot determine."""
    laws = list(subject.study.fit.laws)
    if subject.study.published is not None and laws and PAPER_LAW not in laws:
        laws.append(PAPER_LAW)  # the paper's grid search is repeated
    measured = subject.study.measured is not None
    kind = Kind.FILE if measured else Kind.CONFIG
    # Without a table all suites have the same cells, those of the grid: one suite is enough.
    suites = subject.study.suites if measured else subject.study.suites[:1]
    for suite in suites if laws else []:
        try:
            points = subject.points(suite.name)
        except UserError:
            return  # the rule on tables reports it
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
        first = law in subject.study.fit.laws[:1]
        taken = subject.study.fit.constraints.taken if first else 0
        parameters = LAW_FACTS[law].parameters - taken
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
                f"{law} has {counted(parameters, 'parameter')}, as many as {which}: it fits all of "
                "them exactly, whatever their errors, so nothing tests it; add sizes or token counts",
                Kind.WARNING,
            )
    if subject.study.fit.loss.startswith("log_") and any(p.error == 0 for p in points):
        yield subject.finding(
            "fit.loss",
            f"{subject.study.fit.loss} needs errors above 0, but {which} have one of 0; write "
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


def compressors_are_fitted_apart(subject: Subject) -> Iterator[Finding]:
    """Warn of a law over compressors with the same V, whose cells a fit cannot distinguish."""
    if not subject.study.fit.laws:
        return
    by_tokens: dict[int, list[str]] = {}
    for entry in subject.study.compressors:
        for V in entry.tokens:
            by_tokens.setdefault(V, []).append(entry.name)
    shared = {V: names for V, names in by_tokens.items() if len(names) > 1}
    if shared:
        listed = "; ".join(f"V = {V}: {', '.join(names)}" for V, names in sorted(shared.items()))
        yield subject.finding(
            "compressors",
            "laws are fitted to the cells of all compressors together, and some have the same V "
            f"({listed}), so that differences between them count as noise; study them separately, or "
            "write laws: [] to compare methods",
            Kind.WARNING,
        )


def laws_are_used(subject: Subject) -> Iterator[Finding]:
    """Find settings that need a law in a study without any."""
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
    if study.training and study.training.lengthened:
        yield subject.finding(
            "training.lengthened",
            "the best number of tokens for each length of the question is compared with that of a law, "
            "but fit.laws is []; name a law, or take lengthened out",
        )
