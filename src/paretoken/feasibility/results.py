"""Rules on figures and claims: whether the study has what each of them needs."""

from __future__ import annotations

from collections.abc import Iterator

from paretoken.config.needs import CLAIM_NEEDS, FIGURE_NEEDS, LAW_FACTS, Needs
from paretoken.config.study import FitSettings
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.points import Point, cost_nearly_the_same
from paretoken.feasibility.reference_tables import published_numbers, table1_rows
from paretoken.io.text_tables import counted

LAW_WORDS = {
    "any": "a law",
    "profiled": "a first law with a floor or exponents that are fitted (neither constant nor all fixed)",
    "optimum": "a first law whose best V does not depend on the budget (such as product)",
    "paper": "product or product_zero_d as the first law",
}
Lack = tuple[str, Kind]


def figures_can_be_drawn(subject: Subject) -> Iterator[Finding]:
    """Find figures whose requirements are not met."""
    for name in subject.study.figures:
        yield from _findings(subject, "figures", name, FIGURE_NEEDS[name])


def claims_can_be_tested(subject: Subject) -> Iterator[Finding]:
    """Find claims whose requirements are not met, and claims that could not be tested."""
    for name in subject.study.claims:
        yield from _findings(subject, "claims", name, CLAIM_NEEDS[name])


def _findings(subject: Subject, key: str, name: str, needs: Needs) -> Iterator[Finding]:
    for what, kind in (
        *_lacking_settings(subject, needs),
        *_lacking_numbers(subject, needs),
        *_lacking_cells(subject, needs),
        *_pointless(subject, needs),
    ):
        yield subject.finding(key, f"{name} needs {what}; add that, or take {name} out of {key}", kind)


def _lacking_settings(subject: Subject, needs: Needs) -> Iterator[Lack]:
    study = subject.study
    for role in needs.roles:
        if subject.suite(role) is None:
            yield f"a suite with role {role} under suites", Kind.CONFIG
    if needs.law is not None and not _law_suits(needs.law, study.fit):
        yield f"{LAW_WORDS[needs.law]} under fit.laws", Kind.CONFIG
    if needs.plain_squared and study.fit.loss != "squared":
        yield "fit.loss: squared", Kind.CONFIG
    if needs.text and not any(study.text_tokens):
        yield "a number above 0 under text_tokens", Kind.CONFIG
    if needs.unseen and not (study.holdout or study.predict):
        yield "a size that the fit has not seen, under predict or holdout", Kind.CONFIG
    have = {entry.name: entry.tokens for entry in study.compressors}
    for compressor, tokens in needs.compared:
        if tokens not in have.get(compressor, ()) and not (tokens is None and compressor in have):
            at = "" if tokens is None else f" with {counted(tokens, 'token')}"
            yield f"{compressor}{at} under compressors", Kind.CONFIG


def _law_suits(wanted: str, fit: FitSettings) -> bool:
    if not fit.laws or wanted == "any":
        return bool(fit.laws)
    first = LAW_FACTS[fit.laws[0]]
    if wanted == "profiled":
        return len(first.fixable) > len(fit.constraints.fixed)
    return first.paper_form if wanted == "paper" else first.constant_optimum


def _lacking_numbers(subject: Subject, needs: Needs) -> Iterator[Lack]:
    """Yield the published numbers that are missing."""
    published = subject.study.published
    role = subject.suite(needs.roles[0]) if needs.roles else None
    suite = needs.values_of or (None if role is None else role.name)
    if needs.values and published is None:
        yield f"published.values, a table with {' and '.join(needs.values)}", Kind.CONFIG
    elif needs.values and suite is not None:
        known = published_numbers(subject) or {}
        for quantity in needs.values:
            if known and (suite, quantity) not in known:
                yield (
                    f"a row of published.values with suite = {suite}, quantity = {quantity}",
                    Kind.FILE,
                )
    if needs.table1 and (published is None or published.table1 is None):
        yield "published.table1, the paper's Table 1", Kind.CONFIG
    elif needs.table1:
        rows = table1_rows(subject)
        for row in needs.table1 if rows is not None else ():
            if rows is not None and row not in rows:
                yield f"a row of published.table1 with {', '.join(map(str, row))}", Kind.FILE


def _lacking_cells(subject: Subject, needs: Needs) -> Iterator[Lack]:
    suite = subject.suite(needs.roles[0]) if needs.roles else None
    if suite is None:
        return
    try:
        points = subject.points(suite.name)
    except UserError:
        return
    kind = Kind.CONFIG if subject.study.measured is None else Kind.FILE
    fitted = [point for point in points if point.llm not in subject.study.holdout]
    if needs.equal_cost and not cost_nearly_the_same(points):
        yield "two sizes that cost nearly the same (N V within 15 %) at some of their tokens", kind
    if needs.backtest and subject.study.fit.laws and points:
        fit = subject.study.fit
        parameters = LAW_FACTS[fit.laws[0]].parameters - fit.constraints.taken
        if not _backtest(points, fitted, parameters):
            yield "three or more sizes, of which the smaller ones determine the law", kind
    models = {p.llm for p in fitted}
    # These are a level and a slope for each size, one curvature, and one more cell for the noise.
    if needs.curved and (len({p.V for p in fitted}) < 3 or len(fitted) < 2 * len(models) + 2):
        wanted = "three numbers of visual tokens, and more than two cells per size"
        yield f"{wanted}, without which it cannot be tested", Kind.WARNING


def _backtest(points: list[Point], fitted: list[Point], parameters: int) -> bool:
    """Return whether the largest size can be predicted from the others (`analysis.holdout`)."""
    largest = max(point.N for point in points)
    rest = [point for point in fitted if largest > point.N]
    levels = len({p.N for p in rest}), len({p.V for p in rest})
    return min(levels) >= 2 and len(rest) >= parameters


def _pointless(subject: Subject, needs: Needs) -> Iterator[Lack]:
    study = subject.study
    if needs.one_token and all(1 not in entry.tokens for entry in study.compressors):
        yield "V = 1 under tokens, without which it cannot be tested", Kind.WARNING
    if needs.several_texts and len(study.text_tokens) < 2:
        yield "two numbers under text_tokens, without which it cannot be tested", Kind.WARNING
