"""The title of a study's page: its question, and the paper that it reproduces or tests."""

from __future__ import annotations

from paretoken.config.study import Study

#: The citation of the paper in headings.
PAPER = "Li et al., “Inference Optimal VLMs Need Fewer Visual Tokens and More Parameters” (ICLR 2025)"


def paper_words(study: Study, claims: bool) -> str:
    """Return the relation of a study to the paper; empty if there is none.

    Args:
        study: the study of the page.
        claims: whether the study tests claims of the paper.
    """
    if study.published is not None:
        return f"A reproduction of {PAPER}"
    return f"A test of claims of {PAPER}" if claims else ""


def page_title(study: Study, claims: bool) -> str:
    """Return the title that a browser shows for a page: question, paper and the project's name."""
    parts = [study.question.strip(), paper_words(study, claims), "Paretoken"]
    return " · ".join(filter(None, parts))
