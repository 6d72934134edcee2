"""The best number of visual tokens by length of the question, and the claim about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from paretoken.analysis.cells import Selection, read_cells
from paretoken.analysis.claims.best_token_count import GROWS_WITH_TEXT
from paretoken.analysis.claims.verdicts import Verdict
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.analysis.text_length import best_at_each_budget, optima
from paretoken.config.study import FrozenStudy
from paretoken.figures.text_length_curves import save_text_length
from paretoken.report.text_length_table import latex_of, page

SIZES, TOKENS, TEXTS = {"small": 1.0, "middle": 2.0, "large": 4.0}, (1, 4, 9, 36), (2, 64)
ALPHA, BETA = 0.3, 0.1


def error(N: float, V: float, alpha: float = ALPHA, beta: float = BETA) -> float:
    return float(0.5 * N**-alpha * V**-beta)


def results(tmp_path: Path, alpha: float = ALPHA, beta: float = BETA) -> StudyResults:
    study: dict[str, Any] = {
        "name": "t", "question": "How long?", "vision": "v", "llms": list(SIZES), "measured": "x.csv",
        "compressors": [{"name": "average_pool", "tokens": list(TOKENS)}], "text_tokens": list(TEXTS),
        "suites": [{"name": "all", "title": "All", "role": "reasoning"}],
        "fit": {"laws": ["product_zero_d"], "bootstrap": 50},
    }  # fmt: skip
    frozen = {
        "study": study,
        "llms": [{"name": n, "params_b": b} for n, b in SIZES.items()],
        "vision": {"name": "v", "grid": 6},
    }
    rows = [
        {"study": "t", "llm": name, "params_b": N, "compressor": "average_pool", "visual_tokens": V,
         "seed": 0, "suite": "all", "error": error(N, V, alpha, beta), "stderr": 0.01, "source": "here",
         "flag": ""}
        for name, N in SIZES.items() for V in TOKENS
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "errors.csv", index=False)
    options = FitOptions(law="product_zero_d", bootstrap=50, text_tokens=TEXTS)
    record = fit_record(read_cells(tmp_path / "errors.csv", Selection(suite="all")), options)
    fits = {("all", "product_zero_d-all"): FittedLaw.from_record(record, "test")}
    return StudyResults(FrozenStudy.model_validate(frozen), table, fits, pd.DataFrame(), pd.DataFrame())


def lengths() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"llm": name, "params_b": N, "compressor": "average_pool", "visual_tokens": V, "seed": 0,
             "suite": "all", "text_tokens": Q, "prompt_text_tokens": Q + 0.5, "error": error(N, V),
             "latency_s": 1e-3 * N * (Q + V), "latency_low_s": 9e-4 * N * (Q + V),
             "latency_high_s": 1.2e-3 * N * (Q + V)}
            for name, N in SIZES.items() for V in TOKENS for Q in TEXTS
        ]
    )  # fmt: skip


def test_each_budget_buys_the_best_cell_that_it_can_pay() -> None:
    assert best_at_each_budget([1, 2, 3, 4], [0.4, 0.5, 0.3, 0.35]) == [0, 2, 2]
    assert best_at_each_budget([5], [0.1]) == []


def test_the_best_number_of_tokens_grows_with_the_text(tmp_path: Path) -> None:
    found = optima(results(tmp_path), lengths()).set_index(["text_tokens", "cost"])
    short, long = found.loc[(2, "flops")], found.loc[(64, "flops")]
    assert short["predicted"] == pytest.approx(2.5 / (ALPHA / BETA - 1), rel=1e-2)
    assert long["predicted"] == pytest.approx(64.5 / (ALPHA / BETA - 1), rel=1e-2)
    assert long["best_tokens"] > 2 * short["best_tokens"]
    assert short["best_tokens"] == found.loc[(2, "seconds"), "best_tokens"]
    assert (found["budgets"] == 11).all()
    assert found["latency_low_s"].to_numpy() == pytest.approx(0.9 * found["latency_s"].to_numpy())


def test_the_claim_follows_the_law(tmp_path: Path) -> None:
    grows = GROWS_WITH_TEXT.test(results(tmp_path))
    assert (grows.verdict, grows.value) == (Verdict.HOLDS, pytest.approx(32 - 1, rel=0.02))
    stays = GROWS_WITH_TEXT.test(results(tmp_path, alpha=0.1, beta=0.3))
    assert stays.verdict == Verdict.FAILS


def test_page_latex_and_figure(tmp_path: Path) -> None:
    study = results(tmp_path)
    found = optima(study, lengths())
    text = page(study, found)
    assert "| all | 64 | flops |" in text
    assert latex_of(found).count(r"\\") == 1 + len(found)
    save_text_length(study, found, [tmp_path / "figure.png"])
    assert (tmp_path / "figure.png").stat().st_size > 10_000
