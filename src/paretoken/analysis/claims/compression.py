"""Claims about methods of compression, decided by cells that were trained with one recipe."""

from __future__ import annotations

from paretoken.analysis.claims.base import Claim
from paretoken.analysis.claims.verdicts import (
    Finding,
    Interval,
    above,
    at_most,
    in_words,
    judge,
    untestable,
)
from paretoken.analysis.methods import Mean, difference
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.study_results import StudyResults
from paretoken.compressors.repeat import REPEATED
from paretoken.io.text_tables import counted

#: Largest gain in error that counts as none: one percentage point of a score.
NEGLIGIBLE = 0.01
#: Fewest seeds with a spread over seeds.
LEAST_SEEDS = 2


def _interval(gap: Mean) -> Interval | None:
    """Return the interval of a difference over seeds; None for one, which has no spread."""
    if gap.low is None or gap.high is None or gap.seeds < LEAST_SEEDS:
        return None
    return Interval(gap.low, gap.high)


def _gains(
    results: StudyResults, one: tuple[str, int], other: tuple[str, int]
) -> list[tuple[str, Mean]]:
    """Return, suite by suite and size by size, the error of ``other`` minus that of ``one``."""
    found = []
    for suite in results.study.suites:
        for llm in results.study.llms:
            gap = difference(results, suite.name, other, one, llm)
            if gap is not None:
                found.append((suite.title, gap))
    return found


def _in_words(title: str, gap: Mean) -> str:
    return f"{title}: {gap.value:+.4f} ({in_words(_interval(gap))}, {counted(gap.seeds, 'seed')})"


def _quecc(tokens: int) -> Claim:
    def test(results: StudyResults) -> Finding:
        computed = f"error of TokenPacker minus error of QueCC at V = {tokens}, first suite"
        gains = _gains(results, ("quecc", tokens), ("tokenpacker", tokens))
        if not gains:
            return untestable(computed, f"The study has no cells of both methods at V = {tokens}.")
        first = gains[0][1]
        listed = "; ".join(_in_words(title, gap) for title, gap in gains)
        because = f"Both methods share one recipe, and the differences are paired by seed. {listed}."
        return judge(computed, first.value, _interval(first), above(0), because, _one_seed(first))

    words = "one token" if tokens == 1 else f"{tokens} tokens"
    return Claim(
        f"quecc_beats_tokenpacker_{tokens}",
        f"At {words} QueCC answers better than TokenPacker",
        "section 4, Table 1",
        test,
    )


def _repetition(results: StudyResults) -> Finding:
    computed = f"largest gain of repeating {REPEATED} tokens over giving them once, in error"
    budgets = [V for entry in results.study.compressors if entry.name == "repeat" for V in entry.tokens]
    gains = [
        (f"{title}, {V // REPEATED} times", gap)
        for V in budgets
        for title, gap in _gains(results, ("repeat", V), ("tokenpacker", REPEATED))
    ]
    if not gains:
        return untestable(computed, "The study has no cells of repeat and of tokenpacker at V = 4.")
    # The largest of several gains exceeds 0 by chance more often than a single one: 5 % are divided.
    best = max((gap for _, gap in gains), key=lambda gap: gap.value)
    several = [gap.at_level(1 - (1 - LEVEL) / len(gains)) for _, gap in gains]
    ends = [interval for gap in several if (interval := _interval(gap))]
    interval = Interval(max(e.low for e in ends), max(e.high for e in ends)) if ends else None
    listed = "; ".join(_in_words(title, gap) for title, gap in gains)
    because = (
        "The differences are paired by seed, and each interval has its share of 5 % over "
        f"{counted(len(gains), 'gain')}. {listed}."
    )
    return judge(computed, best.value, interval, at_most(NEGLIGIBLE), because, _one_seed(best))


def _one_seed(gap: Mean) -> list[str]:
    return ["One seed says nothing about others: train more seeds."] if gap.seeds < LEAST_SEEDS else []


QUECC_1 = _quecc(1)
QUECC_4 = _quecc(4)
REPETITION = Claim(
    "repetition_gains_nothing",
    "Repeating the same few tokens does not lower the error",
    "section 3.3.2",
    _repetition,
)
