"""A study as one HTML file: its parts gathered, laid out by Jinja, with everything inlined."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, StrictUndefined

import paretoken
from paretoken.analysis.claims.verdicts import Verdict
from paretoken.analysis.comparison import published_table
from paretoken.analysis.equal_cost import tally
from paretoken.analysis.methods import comparisons
from paretoken.analysis.scenarios import scenarios
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.errors import UserError
from paretoken.figures.style import ramp
from paretoken.io.escape import html
from paretoken.io.text_tables import MISSING, HtmlTable, html_table, text_cell
from paretoken.registry import FIGURES
from paretoken.report.answer import answer, methods_answer
from paretoken.report.charts import explorer_chart
from paretoken.report.explorer import explorer_data
from paretoken.report.glossary import GLOSSARY
from paretoken.report.methods_table import error_rows, winners
from paretoken.report.provenance import citation, provenance
from paretoken.report.suite_tables import (
    drawn_by,
    fit_rows,
    interval_rows,
    law_rows,
    optimum_rows,
    prediction_rows,
    published_rows,
)

ASSETS = files("paretoken.report") / "assets"
#: Part of viridis that is told from a dark background, small sizes first.
DARK = (0.95, 0.35)
KINDS = {Verdict.HOLDS: "holds", Verdict.FAILS: "fails"}


@dataclass(frozen=True)
class Page:
    """What a page is made of.

    Attributes:
        results: of the study; the cost's deployment is what other cost models are computed from.
        claims: tables/claims.csv.
        pairs: tables/equal_cost.csv; None for a study without laws, which compares methods.
        figures: PNG files, named as their figures are registered.
        training: names and values that say where and how its cells were trained.
        folder: of the study, for command lines.
        commit: of the code.
        files: options of a command line that name dimensions and measurements.
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
    """Return the page as HTML; every text of the study is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_visible
    )
    template = environment.from_string((ASSETS / "page.html.j2").read_text(encoding="utf-8"))
    results = page.results
    laws = bool(results.study.fit.laws)
    data = explorer_data(results, page.folder, page.files) if laws else None
    count = len(data["sizes"]) if data else 0
    compared = None if laws else comparisons(results)
    return template.render(
        study=results.study,
        css=_inline((ASSETS / "page.css").read_text(encoding="utf-8")),
        colours={
            "light": [_hex(colour) for colour in ramp([float(i) for i in range(count)]).values()],
            "dark": _dark(count),
        },
        answer=answer(results) if compared is None else methods_answer(results, compared),
        explorer=_explorer(data),
        glossary=GLOSSARY,
        figures=[_figure(path, results) for path in page.figures],
        suites=[_suite(results, suite) for suite in results.study.suites] if laws else [],
        methods=None if compared is None else _methods(results, compared),
        equal_cost=_equal_cost(results, page.pairs),
        tables=_tables(results),
        claims=[_claim(row) for _, row in page.claims.iterrows()],
        doubts=doubts(results),
        provenance=provenance(results, page.training, page.commit),
        settings=json.dumps(results.frozen.model_dump(mode="json"), indent=1),
        citation=citation(page.commit, paretoken.__version__),
        version=paretoken.__version__,
    )


def _visible(value: Any) -> Any:
    """Return what a placeholder of the template holds; Jinja escapes it next, if it is plain text."""
    return html(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _explorer(data: dict[str, Any] | None) -> dict[str, Any] | None:
    if data is None or not data["fits"] or not data["costs"]:
        return None
    labels = [size["label"] for size in data["sizes"]]
    return {
        "data": embedded(data),
        "chart": embedded(explorer_chart(labels)),
        "library": _inline(vega()),
        "script": _inline((ASSETS / "explorer.js").read_text(encoding="utf-8")),
    }


@cache
def vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, as the installed wheel ships them."""
    import altair
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(  # type: ignore[call-arg]  # its stub forgets a default
        vl_version=".".join(altair.VEGALITE_VERSION.split(".")[:2])
    )
    return bundle


class Inlined(str):
    """Text that stands inside a script or style element: nothing in it may end that element."""

    def __html__(self) -> str:
        """Tell Jinja that this must not be escaped: such elements know no character references."""
        return str(self)


def _inline(text: str) -> Inlined:
    return Inlined(
        text.replace("</script", "<\\/script").replace("</style", "<\\/style").replace("<!--", "<\\!--")
    )


def embedded(content: Any) -> Inlined:
    """Return JSON for a script element; no text in it can end the element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Inlined(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


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


def _suite(results: StudyResults, suite: Suite) -> dict[str, Any]:
    fit = results.headline(suite.name)
    tables = [
        html_table(interval_rows(fit), f"Parameters, and V* at Q text tokens, {drawn_by(fit)}"),
        html_table(fit_rows(results, suite.name), "All fits"),
    ]
    published = published_table(results)
    published = published[
        (published["suite"] == suite.name) & (published["variant"] == f"{fit.law.name}-all")
    ]
    if len(published):
        tables.append(html_table(published_rows(published), "Published against fitted"))
    unseen = prediction_rows(results, suite.name)
    if len(unseen):
        tables.append(html_table(unseen, "Sizes that the fit did not see, with both 95 % intervals"))
    compared = law_rows(fit)
    if len(compared):
        tables.insert(1, html_table(compared, "Which laws describe the cells"))
    by_cost = optimum_rows(results, fit, scenarios(results.cost.deployment))
    if len(by_cost):
        tables.append(
            html_table(by_cost, "Best visual tokens V* by what is counted as cost, with 95 % intervals")
        )
    return {
        "title": suite.title,
        "formula": fit.law.formula,
        "loss": fit.record["loss"],
        "status": fit.record["status"],
        "points": fit.record["n_points"],
        "laws": fit.record["laws"]["words"] if len(compared) else [],
        "tables": tables,
    }


def _methods(results: StudyResults, compared: pd.DataFrame) -> dict[str, Any]:
    names = {
        "compressor": "Method", "llm": "Model", "visual_tokens": "V", "error": "Error",
        "low": "95 % from", "high": "to", "seeds": "Seeds",
    }  # fmt: skip
    return {
        "sentences": winners(results, compared),
        "tables": [
            html_table(error_rows(results, suite.name), suite.title, names)
            for suite in results.study.suites
        ],
    }


def _equal_cost(results: StudyResults, pairs: pd.DataFrame | None) -> list[str]:
    if pairs is None or pairs.empty:
        return []
    titles = {suite.name: suite.title for suite in results.study.suites}
    return [f"Pairs of cells at nearly equal N·V. {sentence}" for sentence in tally(pairs, titles)]


def _tables(results: StudyResults) -> list[HtmlTable]:
    names = {
        "suite": "Suite", "llm": "Model", "params_b": "N (billions)", "visual_tokens": "V",
        "seed": "Seed", "error": "Error", "stderr": "Standard error", "flag": "Flag",
    }  # fmt: skip
    shown = results.errors.dropna(axis="columns", how="all")
    return [html_table(shown, f"All {len(shown)} errors", names)]


def _claim(row: pd.Series[Any]) -> dict[str, str]:
    verdict = str(row["verdict"])
    value, *ends = [text_cell(float(row[name])) for name in ("value", "low", "high")]
    return {
        "statement": str(row["statement"]),
        "verdict": verdict,
        "kind": next((kind for known, kind in KINDS.items() if known == verdict), "open"),
        "reason": str(row["because"]),
        "value": value,
        "interval": MISSING if ends == [MISSING, MISSING] else " to ".join(ends),
    }


def doubts(results: StudyResults) -> list[str]:
    """Return the warnings of the headline fits, and what is missing or suspicious among the cells."""
    suites = results.study.suites if results.study.fit.laws else []
    sentences = [
        f"{suite.title}: {warning}"
        for suite in suites
        for warning in results.headline(suite.name).record["warnings"]
    ]
    errors = results.errors
    absent = errors[errors["error"].isna()]
    if len(absent):
        named = ", ".join(
            f"{r['llm']} at {r['visual_tokens']} ({r['suite']})" for _, r in absent.iterrows()
        )
        sentences.append(f"{len(absent)} of {len(errors)} errors are missing: {named}.")
    flagged = errors[errors["flag"] != ""]
    for flag, rows in flagged.groupby("flag"):
        named = ", ".join(
            f"{r['llm']} at {r['visual_tokens']} ({r['suite']})" for _, r in rows.iterrows()
        )
        use = "; in the headline fit, left out of the unflagged one" if suites else ""
        sentences.append(f"Flagged {flag}: {named}{use}.")
    return sentences
