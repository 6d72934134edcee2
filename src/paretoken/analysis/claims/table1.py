"""Claims about Table 1: how much of TokenPacker's gap to the uncompressed model QueCC closes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from paretoken.analysis.claims.base import Claim, published
from paretoken.analysis.claims.verdicts import Finding, Interval, about, judge, rounding
from paretoken.analysis.study_results import StudyResults
from paretoken.errors import UserError
from paretoken.io.text_tables import counted

FULL = ("LLaVA-1.5", 576)
#: Half a unit of the last digit of the scores in Table 1, which has one decimal.
PRINTED = 0.05


def score(results: StudyResults, method: str, tokens: int, benchmark: str) -> float:
    """Return one number of the published Table 1 (`UserError` if it is not there)."""
    table = results.table1
    found = table[
        (table["method"] == method)
        & (table["visual_tokens"] == tokens)
        & (table["benchmark"] == benchmark)
    ]
    if found.empty:
        raise UserError(
            f"the published Table 1 has no {method} at {counted(tokens, 'token')} on {benchmark}; "
            "set published.table1 of the study, or remove the claim from its `claims:`"
        )
    return float(found["score"].iloc[0])


def _closed(full: float, base: float, quecc: float) -> float:
    return 100 * (quecc - base) / (full - base)


def _half(score: float) -> float:
    """Return half a unit of the last printed digit of a score, at most that of Table 1."""
    return min(rounding(score), PRINTED)


def _gap(benchmark: str, short: str, tokens: int) -> Claim:
    name = f"gap_{short}_{tokens}"
    quantity = f"gap_closed_{short}_{tokens}_token{'s' if tokens > 1 else ''}_percent"

    def test(results: StudyResults) -> Finding:
        claimed = published(results, "table1", quantity)
        full = score(results, *FULL, benchmark)
        base = score(results, "TokenPacker", tokens, benchmark)
        quecc = score(results, "QueCC", tokens, benchmark)
        value = _closed(full, base, quecc)
        corners = [
            _closed(full + a * _half(full), base + b * _half(base), quecc + c * _half(quecc))
            for a, b, c in product((-1, 1), repeat=3)
        ]
        rounded = Interval(min(corners), max(corners))
        because = (
            f"({quecc:g} - {base:g}) / ({full:g} - {base:g}) = {value:.1f} %, and {rounded} for all "
            f"scores that round to the printed ones; the paper says {claimed:g} %. The paper reports "
            "one run each and no seeds, so this says nothing about other runs."
        )
        computed = "(QueCC - TokenPacker) / (LLaVA-1.5 at 576 - TokenPacker), percent"
        region = about(claimed, rounding(claimed))
        exact = rounded
        if value in region:
            because += " The claim is arithmetic on the printed scores, and they agree with it."
            exact = Interval(value, value)
        return replace(judge(computed, value, exact, region, because), interval=rounded)

    title = {"mme": "MME", "mmb": "MMBench"}[short]
    said = {("mme", 1): 12, ("mmb", 1): 19, ("mme", 4): 26, ("mmb", 4): 21}[short, tokens]
    tokens_text = "one token" if tokens == 1 else f"{tokens} tokens"
    statement = f"At {tokens_text} QueCC closes {said} % of the gap on {title}"
    return Claim(name, statement, "section 4, Table 1", test)


GAP_MME_1 = _gap("MME_perception", "mme", 1)
GAP_MMB_1 = _gap("MMBench", "mmb", 1)
GAP_MME_4 = _gap("MME_perception", "mme", 4)
GAP_MMB_4 = _gap("MMBench", "mmb", 4)
