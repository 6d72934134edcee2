"""The glossary of a study's pages: symbols and terms, for readers who do not know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A symbol or term, and its meaning on the pages."""

    name: str
    meaning: str


#: Terms of the answer at the top of the page.
ANSWER_TERMS = (
    Term("N", "The parameters of the language model, in billions."),
    Term("V", "The number of visual tokens per image."),
    Term("Q", "The number of text tokens per question. An answer costs about 2N(Q + V) FLOPs."),
    Term("Error", "1 minus the mean score."),
    Term(
        "Cached text",
        "The text is the same for many questions, and its tokens are processed only once. The text then "
        "adds nothing to the cost (Q = 0).",
    ),
    Term(
        "α (alpha) and β (beta)",
        "How fast the error falls with N (alpha) and with V (beta). If alpha / beta is above 1, a "
        "larger model lowers the error more than additional visual tokens of the same cost. The "
        "log_linear law calls them a and b.",
    ),
    Term(
        "V*",
        "The number of visual tokens with the lowest error at a given cost, if models of every size "
        "were available.",
    ),
    Term(
        "95 % interval",
        "A range that would hold the true value in 95 of 100 such studies, if the law is right.",
    ),
    Term(
        "Pattern in the residuals",
        "A residual is a measured error minus the error that the law gives. Residuals that follow N or "
        "V, where chance alone would scatter them, show that the law does not describe the "
        "measurements.",
    ),
)
#: Terms of the answer of a study without laws.
METHODS_TERMS = (
    Term("Method", "A way to compress an image to few visual tokens."),
    *(term for term in ANSWER_TERMS if term.name in {"V", "Error"}),
    Term("95 % interval", "A range that would hold the true value in 95 of 100 such studies."),
)
CELL = Term("Cell", "One model size with one number of visual tokens, trained and evaluated.")
FLAGGED = Term("Flagged cell", "A cell whose measurement is suspicious for a stated reason.")
SUITE = Term("Suite", "A group of benchmarks whose scores are averaged.")
#: Further terms of the explorer.
EXPLORER_TERMS = (
    CELL,
    Term(FLAGGED.name, f"{FLAGGED.meaning} An “unflagged” fit leaves such cells out."),
    Term("Law", "A formula for the error as a function of N and V, fitted to the cells."),
    Term(
        "Frontier",
        "The configurations (a model size with a number of visual tokens) for which no other one has a "
        "lower error at the same or a lower cost.",
    ),
    Term("Tie", "Two configurations whose errors the data do not distinguish."),
)
#: Further terms of the figures and the tables of fits.
FIT_TERMS = (
    Term(SUITE.name, f"{SUITE.meaning} Each suite has its own fit."),
    Term(
        "Headline fit",
        "The fit of the study's first law to all cells of a suite, flagged ones included. The answer, "
        "the figures and the claims use it.",
    ),
    Term(
        "Name of a fit",
        "The law and the cells that were fitted, such as “product-all” or “product-unflagged”. The fit "
        "“paper_grid” repeats the paper's own search for the parameters.",
    ),
    Term("Loss", "The quantity that the fit minimises, such as the squared residuals."),
    Term("D", "The error that would remain with unlimited N and V."),
    Term(
        "Status",
        "“converged”, or “bound_active” if a parameter ended at a limit of its range, such as D at 0.",
    ),
    Term("rmse", "The root mean square of the residuals: how far cells typically are from the fit."),
    Term(
        "R² of means",
        "The share of the variation between cells that the law describes: 1 means all of it.",
    ),
    Term(
        "AICc and weight",
        "AICc ranks laws that were fitted to the same cells; the lowest is best. The weight of a law is "
        "its relative likelihood by AICc; the weights add up to 1.",
    ),
    Term(
        "p of a pattern",
        "How often residuals would show at least as much of a pattern over N and V if the law were "
        "right. A law with a p below 0.05 is excluded.",
    ),
    Term(
        "Held out",
        "A model size is left out of a fit and predicted from the other sizes, as a test of the law.",
    ),
)
#: Further terms of the figures and tables of a study without laws.
METHODS_TABLE_TERMS = (CELL, FLAGGED, SUITE)
#: The verdicts on claims.
VERDICT_TERMS = (
    Term("Holds", "The whole 95 % interval agrees with the claim."),
    Term("Fails", "The whole 95 % interval contradicts the claim."),
    Term("Undecided", "The data allow both that the claim is true and that it is false."),
    Term(
        "Cannot be tested",
        "The numbers that a test of the claim would need were neither measured nor published.",
    ),
)
#: The glossary as sentences of the summary page.
GLOSSARY = tuple(
    f"{term.name}: {term.meaning}" for term in (*ANSWER_TERMS, *EXPLORER_TERMS[:3], *FIT_TERMS)
)
