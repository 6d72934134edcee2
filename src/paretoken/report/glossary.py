"""The symbols and words of a study's pages, for readers who see them for the first time."""

from __future__ import annotations

GLOSSARY = (
    "N: parameters of the language model, billions. V: visual tokens per image. Q: text tokens per "
    "question. Y: error, 1 minus the mean score. An answer costs about 2N(Q + V) FLOPs.",
    "alpha and beta: how fast the error falls with N and with V (log_linear: a and b). alpha / beta "
    "above 1: at equal cost a larger model pays better than more visual tokens. D: the error that would "
    "be left with endless N and V. V*: the best V at a given cost, if every size could be had.",
    "Cell: one size with one number of visual tokens, trained and evaluated. Suite: benchmarks whose "
    "scores are averaged. Flagged: suspicious, for a reason that is named; unflagged fits leave it out.",
    "95 % interval: made so that it holds the truth in 95 of 100 such studies, if the law is right.",
    "Status: converged, or bound_active where a parameter is at the end of its range (as D at 0).",
    "AICc ranks laws on the same cells, lower is better; weight: the share of belief that follows. p of "
    "a pattern: how often a law that is right leaves residuals with so much of a pattern over N and V; "
    "below 0.05 the law is excluded.",
)
