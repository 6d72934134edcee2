"""The interface of figures: a name, a caption and one pure function from results to a drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from paretoken.analysis.study_results import StudyResults
from paretoken.figures.style import styled
from paretoken.io.files import replacing

#: A text that is the same in every study, or a function that makes it from a study's results.
Words = str | Callable[[StudyResults], str]
#: Dots per inch of PNG files; at 6.4 inches that is 1280 pixels.
DPI = 200


@dataclass(frozen=True)
class Figure:
    """One registered figure.

    Attributes:
        name: the registered name, and the name of the file.
        title: a few words, the heading of the figure on the summary page.
        caption: what the figure shows and how to read it; it mentions nothing that is not drawn.
        draw: results -> drawing; every number comes from a table or a fit.
        shows_cost: whether an axis is the cost of an answer, so that other cost models can be drawn.
    """

    name: str
    title: Words
    caption: Words
    draw: Callable[[StudyResults], Drawing]
    shows_cost: bool = False

    def title_of(self, results: StudyResults) -> str:
        """Return the title for one study; it may contain texts of the study, and is not escaped."""
        return self.title if isinstance(self.title, str) else self.title(results)

    def caption_of(self, results: StudyResults) -> str:
        """Return the caption for one study; it may contain texts of the study, and is not escaped."""
        return self.caption if isinstance(self.caption, str) else self.caption(results)


def save(figure: Figure, results: StudyResults, paths: list[Path]) -> None:
    """Draw once, in the project's style, and write each path in the format of its suffix.

    Files carry no date, so that the same input gives the same bytes.
    """
    with styled():
        drawing = figure.draw(results)
        for path in paths:
            metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix)
            with replacing(path) as temporary:
                drawing.savefig(temporary, dpi=DPI, metadata=metadata)
