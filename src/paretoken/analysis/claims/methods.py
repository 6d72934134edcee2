"""Claims about ways to compress, decided by cells that one recipe trained."""

from __future__ import annotations

from paretoken.analysis.claims.base import Claim, Finding, Interval, Verdict, in_words
from paretoken.analysis.methods import Mean, difference
from paretoken.analysis.study_results import StudyResults
from paretoken.tokens import REPEATED


def _interval(gap: Mean) -> Interval | None:
    return None if gap.low is None or gap.high is None else Interval(gap.low, gap.high)


def judge_gain(gain: float, interval: Interval | None) -> Verdict:
    """Judge "the gain is above 0": for sure, perhaps, or not even at the interval's better end."""
    interval = interval or Interval(gain, gain)
    if interval.low > 0:
        return Verdict.HOLDS
    return Verdict.WITHIN if interval.high > 0 else Verdict.NOT


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
    return f"{title}: {gap.value:+.4f} ({in_words(_interval(gap))}, {gap.seeds} seed(s))"


def _quecc(tokens: int) -> Claim:
    def test(results: StudyResults) -> Finding:
        computed = f"error of TokenPacker minus error of QueCC at V = {tokens}, first suite"
        gains = _gains(results, ("quecc", tokens), ("tokenpacker", tokens))
        if not gains:
            return Finding(computed, None, None, Verdict.UNTESTABLE,
                           f"The study has no cells of both at V = {tokens}.")  # fmt: skip
        first = gains[0][1]
        told = "; ".join(_in_words(title, gap) for title, gap in gains)
        return Finding(computed, first.value, _interval(first),
                       judge_gain(first.value, _interval(first)),
                       f"One recipe for both, paired by seed. {told}.")  # fmt: skip

    words = "one token" if tokens == 1 else f"{tokens} tokens"
    return Claim(
        f"quecc_beats_tokenpacker_{tokens}", f"At {words} QueCC answers better than TokenPacker",
        "section 4, Table 1", test,
    )  # fmt: skip


def _repetition(results: StudyResults) -> Finding:
    computed = f"largest gain of repeating {REPEATED} tokens over giving them once, in error"
    budgets = [V for entry in results.study.compressors if entry.name == "repeat" for V in entry.tokens]
    gains = [
        (f"{title}, {V // REPEATED} times", gap)
        for V in budgets
        for title, gap in _gains(results, ("repeat", V), ("tokenpacker", REPEATED))
    ]
    if not gains:
        return Finding(computed, None, None, Verdict.UNTESTABLE,
                       "The study has no cells of repeat and of tokenpacker at V = 4.")  # fmt: skip
    best = max((gap for _, gap in gains), key=lambda gap: gap.value)
    interval = _interval(best)
    gain = judge_gain(best.value, interval)
    verdict = {Verdict.HOLDS: Verdict.NOT, Verdict.NOT: Verdict.HOLDS}.get(gain, gain)
    told = "; ".join(_in_words(title, gap) for title, gap in gains)
    return Finding(computed, best.value, interval, verdict, f"Paired by seed. {told}.")


QUECC_1 = _quecc(1)
QUECC_4 = _quecc(4)
REPETITION = Claim(
    "repetition_gains_nothing", "Repeating the same few tokens does not lower the error",
    "section 3.3.2", _repetition,
)  # fmt: skip
