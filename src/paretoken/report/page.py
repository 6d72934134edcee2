"""The report of a study as one HTML file, rendered by Jinja, with all assets inlined."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, StrictUndefined

import paretoken
from paretoken.analysis.methods import comparisons
from paretoken.analysis.study_results import StudyResults
from paretoken.errors import UserError
from paretoken.figures.style import ramp
from paretoken.io.escape import html
from paretoken.registry import FIGURES
from paretoken.report.answer import answer, methods_answer
from paretoken.report.charts import explorer_chart
from paretoken.report.doubts import doubts
from paretoken.report.explorer import explorer_data
from paretoken.report.glossary import (
    ANSWER_TERMS,
    EXPLORER_TERMS,
    FIT_TERMS,
    METHODS_TABLE_TERMS,
    METHODS_TERMS,
    VERDICT_TERMS,
    Term,
)
from paretoken.report.headings import page_title, paper_words
from paretoken.report.inline import asset, embedded, explorer_script, inlined, vega
from paretoken.report.provenance import citation, provenance
from paretoken.report.sections import (
    claim_row,
    equal_cost_sentences,
    error_tables,
    methods_section,
    suite_section,
)

#: Range of viridis that contrasts with a dark background, from small to large sizes.
DARK = (0.95, 0.35)


@dataclass(frozen=True)
class Page:
    """The content of a page.

    Attributes:
        results: the results of the study; other cost models use the deployment of their cost.
        claims: tables/claims.csv.
        pairs: tables/equal_cost.csv; None for a study without laws, which compares methods.
        figures: PNG files; the name of each, without suffix, is that of a registered figure.
        training: pairs of a name and a value on how and where the cells were trained.
        folder: the folder of the study, for command lines.
        commit: the commit of the code; None outside of a git checkout.
        files: command-line options that name dimensions and measurements.
    """

    results: StudyResults
    claims: pd.DataFrame
    pairs: pd.DataFrame | None
    figures: Sequence[Path]
    training: Sequence[tuple[str, str]]
    folder: str
    commit: str | None
    files: Sequence[str]


def render(page: Page) -> str:
    """Return the page as HTML, with all texts of the study escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_visible
    )
    template = environment.from_string(asset("page.html.j2"))
    results = page.results
    laws = bool(results.study.fit.laws)
    data = explorer_data(results, page.folder, page.files) if laws else None
    count = len(data["sizes"]) if data else 0
    compared = None if laws else comparisons(results)
    explorer, claims = _explorer(data), [claim_row(row) for _, row in page.claims.iterrows()]
    return template.render(
        study=results.study,
        title=page_title(results.study, bool(claims)),
        paper=paper_words(results.study, bool(claims)),
        css=inlined(asset("page.css")),
        colours={
            "light": [_hex(colour) for colour in ramp([float(i) for i in range(count)]).values()],
            "dark": _dark(count),
        },
        answer=answer(results) if compared is None else methods_answer(results, compared),
        explorer=explorer,
        terms=_terms(laws, explorer is not None),
        figures=[_figure(path, results) for path in page.figures],
        suites=[suite_section(results, suite) for suite in results.study.suites] if laws else [],
        methods=None if compared is None else methods_section(results, compared),
        equal_cost=equal_cost_sentences(results, page.pairs),
        tables=error_tables(results),
        claims=claims,
        doubts=doubts(results),
        provenance=provenance(results, page.training, page.commit),
        settings=json.dumps(results.frozen.model_dump(mode="json"), indent=1),
        citation=citation(page.commit, paretoken.__version__),
        version=paretoken.__version__,
    )


def _visible(value: Any) -> Any:
    """Return the value of a template placeholder; Jinja escapes plain text afterwards."""
    return html(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _terms(laws: bool, explorer: bool) -> dict[str, Sequence[Term]]:
    """Return the terms that each section explains: those that no earlier section uses."""
    if not laws:
        return {
            "answer": METHODS_TERMS,
            "explorer": (),
            "fits": METHODS_TABLE_TERMS,
            "claims": VERDICT_TERMS,
        }
    return {
        "answer": ANSWER_TERMS,
        "explorer": EXPLORER_TERMS,
        "fits": FIT_TERMS if explorer else (*EXPLORER_TERMS, *FIT_TERMS),
        "claims": VERDICT_TERMS,
    }


def _explorer(data: dict[str, Any] | None) -> dict[str, Any] | None:
    if data is None or not data["fits"] or not data["costs"]:
        return None
    labels = [size["label"] for size in data["sizes"]]
    return {
        "data": embedded(data),
        "chart": embedded(explorer_chart(labels)),
        "library": inlined(vega()),
        "script": explorer_script(),
    }


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def _dark(count: int) -> list[str]:
    first, last = DARK
    palette = mpl.colormaps["viridis"]
    places = [first + (last - first) * i / max(1, count - 1) for i in range(count)]
    colours = [palette(place) for place in places]
    return [_hex((red, green, blue)) for red, green, blue, _ in colours]


def _figure(path: Path, results: StudyResults) -> dict[str, str]:
    figure = FIGURES.load(path.stem)
    try:
        png = base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return {
        "name": path.stem,
        "title": figure.title_of(results),
        "caption": figure.caption_of(results),
        "png": png,
    }
