"""A small study whose law is known, with everything that a figure can show."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import FrozenStudy
from paretoken.figures.style import styled
from paretoken.registry import FIGURES

#: `methods` is of studies without laws.
NAMES = [name for name in FIGURES if name != "methods"]
SIZES = {"a": 6e-6, "b": 1.5e-5, "c": 3.8e-5, "d": 9.5e-5, "e": 2.4e-4, "f": 6e-4}
TOKENS = (1, 4, 9, 36)
SEEDS = (0, 1, 2)
LAWS = ("product", "log_linear", "additive", "product_q_plus_v")
#: K, D, alpha, beta of each suite.
TRUTH = {"reasoning": (0.1, 0.08, 0.16, 0.06), "ocr": (0.35, 0.05, 0.05, 0.14)}


def a_study(**changes):
    study = {
        "name": "miniature", "question": "?", "measured": "none.csv", "vision": "patches",
        "llms": list(SIZES), "compressors": [{"name": "tokenpacker", "tokens": list(TOKENS)}],
        "seeds": list(SEEDS), "text_tokens": [0, 4, 8, 16], "holdout": ["f"],
        "suites": [{"name": "scenes", "title": "Counting and colours", "role": "reasoning"},
                   {"name": "digits", "title": "Reading digits", "role": "ocr"}],
        "fit": {"laws": list(LAWS), "bootstrap": 20, "law_text_tokens": 8},
    }  # fmt: skip
    llms = [{"name": name, "params_b": n} for name, n in SIZES.items()]
    llms.append({"name": "unmeasured", "params_b": 2e-3})
    return FrozenStudy.model_validate(
        {"study": study | changes, "llms": llms, "vision": {"name": "patches", "grid": 12}}
    )


def the_errors(frozen):
    generator = np.random.default_rng(0)
    rows = [
        {"study": "miniature", "llm": llm, "params_b": SIZES[llm], "compressor": "tokenpacker",
         "visual_tokens": V, "seed": seed, "suite": suite.name,
         "error": K * SIZES[llm] ** -alpha * V**-beta + D + generator.normal(0, 0.004),
         "stderr": np.nan, "source": "", "flag": ""}
        for suite in frozen.study.suites
        for K, D, alpha, beta in [TRUTH[suite.role]]
        for llm, V, seed in product(SIZES, TOKENS, SEEDS)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    suspicious = (table["llm"] == "b") & (table["visual_tokens"] == 9) & (table["seed"] == 1)
    return table.assign(flag=suspicious.map({True: "power_cut", False: ""}))


def the_fits(frozen, errors, bootstrap=20):
    fits = {}
    for suite in frozen.study.suites:
        rows = errors[errors["suite"] == suite.name]
        data = CellData(
            Cells(
                *(rows[name].to_numpy(float) for name in ("params_b", "visual_tokens", "error")),
                np.ones(len(rows)),
            ),
            {"suite": suite.name, "exclusions": []},
            [],
        )
        held = tuple(frozen.params_b(llm) for llm in frozen.study.holdout)
        for law in LAWS if suite.role == "reasoning" else LAWS[:2]:
            options = FitOptions(
                law=law,
                bootstrap=bootstrap,
                text_tokens=tuple(frozen.study.text_tokens),
                law_text_tokens=frozen.study.fit.law_text_tokens,
                held_out=held,
            )
            fits[suite.name, f"{law}-all"] = FittedLaw.from_record(fit_record(data, options))
        fits[suite.name, "product-unflagged"] = fits[suite.name, "product-all"]
    return fits


def the_values():
    values = {
        "alpha": 0.077, "beta": 0.015, "K": 0.12, "D": 0.0333, "largest_error_percent": 2,
        "optimal_tokens_q0": 1, "optimal_tokens_q16": 5, "optimal_tokens_q16_text": 6,
    }  # fmt: skip
    rows = [("scenes", quantity, value, "") for quantity, value in values.items()]
    return pd.DataFrame(rows, columns=["suite", "quantity", "value", "source"])


@cache
def make_results(bootstrap=20):
    """Return a study with everything: seeds, two suites, a flag, a hold-out, published values."""
    frozen = a_study()
    errors = the_errors(frozen)
    nothing = pd.DataFrame(columns=["method", "visual_tokens", "benchmark", "score", "source"])
    return StudyResults(frozen, errors, the_fits(frozen, errors, bootstrap), the_values(), nothing)


def changed(results, **changes):
    """Return the results of a study that differs in some settings; nothing is fitted anew."""
    return replace(results, frozen=a_study(**changes))


def without_published(results):
    return replace(results, values=results.values.iloc[:0])


def drawn(name, results):
    with styled():
        return FIGURES.load(name).draw(results)


def panels_of(drawing):
    return [axis for axis in drawing.axes if axis.axison]


def fits_with(results, edit):
    fits = {key: replace(fit, record=edit(fit.record)) for key, fit in results.fits.items()}
    return replace(results, fits=fits)


def labels(drawing):
    """Return the texts of all legends outside the panels."""
    return [text.get_text() for legend in drawing.legends for text in legend.get_texts()]
