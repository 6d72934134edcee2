"""report.html: what it says, that it loads nothing, and that no text of a study becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from paretoken.analysis.equal_cost import NEEDED
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import read_results
from paretoken.analysis.ties import ties
from paretoken.cli import main
from paretoken.costs.models.paper import PAPER_COST
from paretoken.report.answer import answer
from paretoken.report.explorer import text_stops
from paretoken.study.table_files import write_table
from report_study import QUESTION, SUITES, TOKENS, copied, embedded, finished_study, latency_table

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&{{7*7}}"
CLAIM = {
    "claim": "c", "statement": f"Five times {EVIL}", "where": "here", "computed": "x", "value": 4.7,
    "low": 3.9, "high": np.nan, "verdict": "holds", "because": "It does.",
}  # fmt: skip


class Elements(HTMLParser):
    """Collects elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text.append(data)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    study = finished_study(tmp_path_factory.mktemp("report"), claims=[CLAIM])
    figure = study.folder / "figures" / "fig1a.png"
    figure.parent.mkdir()
    figure.write_bytes(b"\x89PNG of a test")
    table = latency_table(study.root / "latency.csv")
    code = study.report("--figure-files", figure, "--latency", table, "--price-per-hour", "2.5")
    assert code == 0
    return study


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    return finished_study(tmp_path_factory.mktemp("small"), suites=SUITES[:1], laws=["product"])


@pytest.fixture
def small(unchanged, tmp_path):
    """A study of one suite and law of the test's own."""
    return copied(unchanged, tmp_path / "small")


def results_of(study):
    folder = study.folder
    fits = sorted(folder.glob("fits/*/*.json"))
    return read_results(folder / "study.json", folder / "tables/errors.csv", fits)


def test_it_says_question_answer_claims_doubts_provenance_and_how_to_cite(finished):
    text = " ".join(" ".join(Elements(finished.page).text).split())
    for part in (QUESTION, answer(results_of(finished)), "holds", "It does.", "3.9 to –", "power cut",
                 "SHA-256", "Abacus 9", "arXiv:2411.03312", "bootstrap replicates"):  # fmt: skip
        assert " ".join(part.split()) in text, part


def test_the_answer_is_two_sentences_with_the_fits_numbers(finished):
    results = results_of(finished)
    said = answer(results)
    assert len(re.findall(r"\.(?: |$)", said)) == 2
    reasoning, ocr = (results.headline(suite["name"]) for suite in SUITES)
    assert f"α/β = {reasoning.record['alpha_over_beta']:.2f}" in said
    star = reasoning.record["intervals"]["v_star"]["50"]
    assert (
        f"V* = {reasoning.record['v_star']['50']:.3g}, 95\u00a0% interval {star['low']:.3g} to" in said
    )
    assert "a larger model beats more visual tokens" in said
    assert "not one but about" in said
    assert "with cached text one is best" in said
    assert "For OCR of digits more visual tokens beat" in said
    assert f"α/β = {ocr.record['alpha_over_beta']:.2f}" in said


def test_nothing_is_loaded_from_anywhere(finished):
    elements = Elements(finished.page).found
    assert not [tag for tag, _ in elements if tag in {"link", "iframe", "object", "embed", "base"}]
    sources = [a["src"] for _, a in elements if "src" in a]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    policy = next(a["content"] for t, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert all(a["href"].startswith("#") for t, a in elements if t == "a")


def test_no_text_of_a_study_becomes_markup(finished, tmp_path):
    suites = [dict(suite, title=f"{suite['title']} {EVIL}") for suite in SUITES]
    evil = finished_study(
        tmp_path, suites=suites, laws=["product"], flag=EVIL, claims=[CLAIM], question=f"Why? {EVIL}"
    )
    assert evil.report() == 0
    page = evil.page
    kinds = [t for t, _ in Elements(page).found]
    assert kinds.count("script") == [t for t, _ in Elements(finished.page).found].count("script") == 4
    assert "img" not in kinds, "there is no figure"
    assert not [a for _, a in Elements(page).found if any(name == "onerror" for name in a)]
    assert EVIL in " ".join(Elements(page).text), "shown as what it is"
    assert embedded(page, "explorer-data")["suites"][0]["title"].endswith(EVIL)


def test_the_explorers_numbers_are_those_of_the_fits_and_costs(finished):
    data = embedded(finished.page, "explorer-data")
    N, V = (np.array([c[name] for c in data["configurations"]]) for name in ("n", "v"))
    assert len(N) == 4 * len(TOKENS)
    for key, found in data["fits"].items():
        fit = FittedLaw.read(finished.folder / "fits" / f"{key}.json")
        assert len(found["at"]) == (len(data["stops"]) if fit.law.text_in_error else 1)
        for Q, at in zip(data["stops"], found["at"], strict=False):
            np.testing.assert_array_equal(at["error"], fit.predict(N, V, Q))
            np.testing.assert_array_equal(at["low"], fit.interval(N, V, Q)[0])
            np.testing.assert_array_equal(at["measured_high"], fit.measurement_interval(N, V, Q)[1])
            errors = fit.draw_errors(N, V, Q)
            assert at["ties"][3] == [i for i in np.flatnonzero(ties(errors, 3)).tolist() if i > 3]
    paper = next(cost for cost in data["costs"] if cost["name"] == "flops_2nt")
    for Q, values in zip(data["stops"], paper["at"], strict=True):
        np.testing.assert_array_equal(values, PAPER_COST(N, V, Q))
    models = {cost["model"] for cost in data["costs"]}
    assert models == {"flops_2nt", "flops_exact", "memory", "latency", "price"}
    latency = next(cost for cost in data["costs"] if cost["name"] == "latency")
    beyond = data["stops"].index(125.0)
    assert latency["at"][beyond] == [None] * len(N), "nothing was measured there"


def test_pairs_of_equal_cost_are_those_of_the_table(small):
    """Its numbers are those of the summary, which takes the same table: nothing is computed again."""
    study = small
    sides = (("larger", "larger"), ("larger", "larger"), ("smaller", "smaller"), ("larger", "undecided"))
    pairs = [{"suite": "scenes", "lower": lower, "wins": wins, "apart": True} for lower, wins in sides]
    write_table(study.folder / "tables" / "equal_cost.csv", pd.DataFrame(pairs))
    assert study.report() == 0
    said = " ".join(" ".join(Elements(study.page).text).split())
    assert "errs less in 3 of 4 pairs, the smaller one with more tokens in 1; the 95 %" in said
    assert "for the larger one in 2, for the smaller one in 1, and for neither in 1" in said
    assert "The signs alone do not show which errs less (3 of 4 pairs" in said
    write_table(study.folder / "tables" / "equal_cost.csv", pd.DataFrame(columns=list(NEEDED)))
    assert study.report() == 0
    assert "errs less in" not in study.page


def test_the_study_without_figures_claims_and_draws_has_a_page_too(tmp_path):
    study = finished_study(tmp_path, suites=SUITES[:1], laws=["product"], bootstrap=0, text_tokens=[0])
    assert study.report() == 0
    page = study.page
    assert 'id="claims"' not in page
    assert 'id="figures"' not in page
    assert embedded(page, "explorer-data")["fits"]["scenes/product-all"]["at"][0]["low"][0] is None
    said = answer(results_of(study))
    assert "the data do not tell whether a larger model or more visual tokens are better" in said
    assert "there is no interval" in said
    assert len(re.findall(r"\.(?: |$)", said)) == 2


def test_a_study_without_laws_compares_methods(tmp_path):
    methods = [{"name": name, "tokens": list(TOKENS)} for name in ("tokenpacker", "average_pool")]
    study = finished_study(tmp_path, laws=(), compressors=methods, flag="")
    path = study.folder / "tables" / "errors.csv"
    one = pd.read_csv(path).assign(stderr=0.001)
    other = one.assign(compressor="average_pool", error=one["error"] + 0.1)
    write_table(path, pd.concat([one, other]))
    assert study.report() == 0
    text = " ".join(Elements(study.page).text)
    assert (
        "Scenes, V = 1: tokenpacker has the lowest error. It is significantly better than average_pool."
        in text
    )
    assert "for scenes, tokenpacker (V = 1)" in text
    count = len(SUITES) * len(TOKENS) * 4  # suites, token counts, language models
    assert (
        f"In {count} of {count} comparisons the 95\u00a0% intervals distinguish the best method" in text
    )
    assert 'id="explorer' not in study.page
    assert "bootstrap replicates" not in text
    assert re.search(r"<th[^>]*>Method</th>", study.page)


def test_a_broken_ingredient_is_refused_and_nothing_is_left(small, capsys):
    study = small
    fit = study.folder / "fits" / "scenes" / "product-all.json"
    fit.write_text("{}")
    assert study.report() == 2
    assert "product-all.json is not a fit" in capsys.readouterr().err
    assert not (study.folder / "report.html").exists()


def test_a_report_without_any_fit_says_what_is_missing(unchanged, tmp_path, capsys):
    study = unchanged
    tables = study.folder / "tables"
    arguments = ["report", "--study-file", study.folder / "study.json",
                 "--errors", tables / "errors.csv", "--claims", tables / "claims.csv",
                 "--out", tmp_path / "r.html"]  # fmt: skip
    assert main([str(each) for each in arguments]) == 2
    assert "none of its fits was given; add --fits" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_an_unknown_figure_is_refused(small, capsys):
    assert small.report("--figure-files", small.folder / "photo.png") == 2
    assert "unknown figure 'photo'" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "some"), [([0, 200], 10.0), ([0, 1, 4, 16], 5.0), ([0], 1.0)])
def test_the_slider_stops_at_the_studys_q_and_between(text, some):
    stops = text_stops(text)
    assert set(map(float, text)) | {some} <= set(stops)
    assert stops == sorted(stops)
    assert max(stops) == 2 * max([*text, 1])
    assert len(stops) < 60
