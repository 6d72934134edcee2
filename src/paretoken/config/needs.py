"""Requirements of figures, claims and laws on a study, by their registered names.

These facts about modules that import numpy or matplotlib are repeated here as plain values, so that a
config can be checked without importing them. Tests compare every entry with its module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Largest exponent that a fit considers; published ones lie below 1.
LARGEST_EXPONENT = 4.0


@dataclass(frozen=True)
class LawFacts:
    """The properties of a law that decide what a study can do with it.

    Attributes:
        parameters: number of fitted parameters, and so the least number of distinct cells.
        paper_form: whether it is K N^-alpha V^-beta (+ D), which the paper's claims are about.
        constant_optimum: whether V* does not depend on the budget.
        slopes: names of the parameters that say how fast the error falls with N and V, if any.
        floor: name of the irreducible error, if there is one.
        exponents: whether the slopes are exponents.
        saturates: whether it can saturate at the error of guessing.
    """

    parameters: int
    paper_form: bool
    constant_optimum: bool
    slopes: tuple[str, ...] = ("alpha", "beta")
    floor: str | None = None
    exponents: bool = True
    saturates: bool = False

    @property
    def fixable(self) -> tuple[str, ...]:
        """Names of the parameters that can be fixed, since they do not depend on the unit of N."""
        return (*((self.floor,) if self.floor else ()), *self.slopes)


LAW_FACTS = {
    "product": LawFacts(4, paper_form=True, constant_optimum=True, floor="D", saturates=True),
    "product_zero_d": LawFacts(3, paper_form=True, constant_optimum=True, saturates=True),
    "product_q_plus_v": LawFacts(4, paper_form=False, constant_optimum=True, floor="D", saturates=True),
    "log_linear": LawFacts(
        3, paper_form=False, constant_optimum=True, slopes=("a", "b"), exponents=False
    ),
    "additive": LawFacts(5, paper_form=False, constant_optimum=False, floor="E"),
    "constant": LawFacts(1, paper_form=False, constant_optimum=False, slopes=(), exponents=False),
}

#: Which first law a study must have: any, one with a fitted floor or slope, one with an optimal V, or
#: one of the paper's form.
FirstLaw = Literal["any", "profiled", "optimum", "paper"]


@dataclass(frozen=True)
class Needs:
    """The requirements of a figure or a claim on its study.

    Attributes:
        roles: roles for which there must be a suite.
        law: which first law the study must have; None: no law is used.
        plain_squared: whether `fit.loss` must be ``squared`` itself.
        text: whether `text_tokens` must have a number above 0.
        several_texts: whether `text_tokens` should have two numbers or more (otherwise a warning).
        curved: whether the fit should have three V or more, and more than two cells per size
            (otherwise a warning).
        one_token: whether the grid should have V = 1 (otherwise a warning).
        unseen: whether a size must be held out or predicted.
        backtest: whether the smaller sizes must determine the law without the largest one.
        equal_cost: whether two sizes must cost nearly the same at some V.
        values: quantities that `published.values` must have, for the suite with the first role.
        values_of: the suite of `values`, if it is another one.
        table1: rows that `published.table1` must have: method, visual tokens, benchmark.
        compared: compressors that the grid must have, each with its V (None: any).
    """

    roles: tuple[str, ...] = ()
    law: FirstLaw | None = None
    plain_squared: bool = False
    text: bool = False
    several_texts: bool = False
    curved: bool = False
    one_token: bool = False
    unseen: bool = False
    backtest: bool = False
    equal_cost: bool = False
    values: tuple[str, ...] = ()
    values_of: str | None = None
    table1: tuple[tuple[str, int, str], ...] = ()
    compared: tuple[tuple[str, int | None], ...] = ()


REASONING, OCR = ("reasoning",), ("ocr",)

FIGURE_NEEDS = {
    "fig1a": Needs(roles=REASONING, law="any"),
    "fig1b": Needs(roles=REASONING, law="any", text=True),
    "fig2": Needs(roles=REASONING, law="any", unseen=True, backtest=True),
    "fig3a": Needs(roles=REASONING, law="any", text=True),
    "fig3b": Needs(roles=OCR, law="any", text=True),
    "fig4": Needs(roles=(*REASONING, *OCR), equal_cost=True),
    "optimal_tokens": Needs(roles=REASONING, law="optimum", text=True),
    "optimum_by_cost": Needs(roles=REASONING, law="any", text=True),
    "profile": Needs(roles=REASONING, law="profiled"),
    "residuals": Needs(roles=REASONING, law="any"),
    "parameters": Needs(roles=REASONING, law="any"),
    "methods": Needs(),
}


def _gap(benchmark: str, short: str, tokens: int) -> Needs:
    methods = (("LLaVA-1.5", 576), ("TokenPacker", tokens), ("QueCC", tokens))
    plural = "s" if tokens > 1 else ""
    return Needs(
        values=(f"gap_closed_{short}_{tokens}_token{plural}_percent",),
        values_of="table1",
        table1=tuple((method, V, benchmark) for method, V in methods),
    )


CLAIM_NEEDS = {
    "five_times_faster": Needs(roles=REASONING, law="paper", values=("exponent_ratio",)),
    "visual_alpha": Needs(roles=REASONING, law="paper", values=("alpha",)),
    "visual_beta": Needs(roles=REASONING, law="paper", values=("beta",)),
    "grid_optimum": Needs(roles=REASONING, law="any", plain_squared=True, values=("alpha", "beta")),
    "largest_within_two_percent": Needs(
        roles=REASONING, law="any", values=("largest_error_percent", "unseen_params_b")
    ),
    "one_token_without_text": Needs(roles=REASONING, law="paper", one_token=True),
    "sixteen_tokens_at_fifty": Needs(
        roles=REASONING, law="paper", values=("optimal_tokens_q50_text", "optimal_tokens_q50")
    ),
    "optimal_tokens_grow_with_text": Needs(roles=REASONING, law="paper", several_texts=True),
    "log_linear_in_tokens": Needs(roles=REASONING, law="any", curved=True),
    "ocr_reverses": Needs(roles=OCR, law="paper"),
    "ocr_alpha": Needs(roles=OCR, law="paper", values=("alpha",)),
    "ocr_beta": Needs(roles=OCR, law="paper", values=("beta",)),
    "gap_mme_1": _gap("MME_perception", "mme", 1),
    "gap_mmb_1": _gap("MMBench", "mmb", 1),
    "gap_mme_4": _gap("MME_perception", "mme", 4),
    "gap_mmb_4": _gap("MMBench", "mmb", 4),
    "quecc_beats_tokenpacker_1": Needs(compared=(("quecc", 1), ("tokenpacker", 1))),
    "quecc_beats_tokenpacker_4": Needs(compared=(("quecc", 4), ("tokenpacker", 4))),
    "repetition_gains_nothing": Needs(compared=(("repeat", None), ("tokenpacker", 4))),
}
