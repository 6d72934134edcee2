"""Captions, titles and legends tell of what is drawn, and of nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from figure_study import (
    NAMES,
    a_study,
    changed,
    drawn,
    fits_with,
    labels,
    make_results,
    panels_of,
    without_published,
)
from paretoken.analysis.compare import COLUMNS
from paretoken.figures import optimal_tokens, studies
from paretoken.figures.style import styled
from paretoken.registry import FIGURES

PUBLISHED = {"values": "values.csv"}


@pytest.fixture(scope="module")
def results():
    return make_results()


def caption(name, results):
    return FIGURES.load(name).caption_of(results)


def bare(results):
    """Return a study with one seed, no flags, nothing held out and nothing published."""
    errors = results.errors[results.errors["seed"] == 0].assign(flag="")
    fits = fits_with(results, lambda record: record | {"data": record["data"] | {"held_out": []}}).fits
    frozen = a_study(holdout=[], predict=["unmeasured"], seeds=[0])
    return replace(without_published(results), frozen=frozen, errors=errors, fits=fits)


@pytest.mark.parametrize("name", NAMES)
def test_the_paper_is_named_only_in_studies_that_are_compared_with_it(name, results):
    alone = without_published(results)
    figure = FIGURES.load(name)
    said = f"{figure.title_of(alone)} {figure.caption_of(alone)} {labels(drawn(name, alone))}"
    for word in ("paper", "published", "OCR", "easoning error"):
        assert word not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fig1a", "This is the paper's Fig. 1a"),
        ("fig1a", "The dotted line"),
        ("fig2", "Dashed lines are the same predictions with the paper's parameters. Right:"),
        ("fig2", "The grey area is the margin"),
        ("optimal_tokens", "Black markers are numbers in the paper's code"),
        ("parameters", "Dotted lines are published values"),
        ("profile", "Dotted lines are published values"),
    ],
)
def test_additions_of_the_paper_are_named_where_they_are_drawn(name, words, results):
    assert words in caption(name, changed(results, published=PUBLISHED))
    assert words not in caption(name, without_published(results))


def test_the_dotted_line_is_mentioned_only_where_the_paper_drew_one(results):
    assert "dotted" not in caption("fig3b", changed(results, published=PUBLISHED))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fig1a", "Bars are one standard error, over seeds."),
        ("fig1b", "means over seeds"),
        ("fig3b", "(dashed: N held out of the fit)"),
        ("fig4", "Bars are"),
        ("residuals", "Bars on cells are"),
        ("residuals", "Flagged cells"),
        ("fig2", "Black-edged disks"),
        ("fig2", "Bars are"),
        ("parameters", "with and without flagged cells"),
    ],
)
def test_bars_flags_and_held_out_sizes_are_mentioned_only_where_they_are_drawn(name, words, results):
    assert words in caption(name, results)
    assert words not in caption(name, bare(results))


@pytest.mark.parametrize("name", ["fig1a", "fig1b", "fig3b"])
def test_headings_name_the_suite_and_q(name, results):
    title = {"fig3b": "Reading digits"}.get(name, "Counting and colours")
    heading = FIGURES.load(name).title_of(results)
    assert heading.startswith(f"{title}: error against inference cost at Q = ")
    assert caption(name, results).startswith(f"{title}: ")


def test_dots_are_named_only_where_curves_cross(results):
    dot = "equal error at equal cost"
    assert dot in labels(drawn("fig3a", results))
    assert "Dots mark" in caption("fig3a", results)
    apart = changed(results, text_tokens=[0, 10**6])
    assert dot not in labels(drawn("fig3a", apart))
    assert "Dots mark" not in caption("fig3a", apart)
    assert "do not cross" in caption("fig3a", apart)


def test_the_reason_why_no_text_is_left_out_is_reported(results):
    why = "Q = 0 is left out: the cost is then 2NV"
    assert why in caption("fig3a", results)
    assert "Q = 0" not in caption("fig3a", changed(results, text_tokens=[4]))
    additive = caption("fig3a", changed(results, fit={"laws": ["additive"]}))
    assert why not in additive
    assert "Q = 0 is left out." in additive


def test_a_single_profile_has_no_second_panel(results):
    assert "The second panel" in caption("profile", results)

    def only_alpha(record):
        return record | {"profile": {k: v for k, v in record["profile"].items() if k == "alpha"}}

    one = fits_with(results, only_alpha)
    assert len(panels_of(drawn("profile", one))) == 1
    assert "The second panel" not in caption("profile", one)


def test_regions_are_the_intervals_in_the_tables_only_where_they_are(results):
    def by_profile(record):
        regions = {name: item["interval"] for name, item in record["profile"].items()}
        ends = {name: dict(zip(("low", "high"), pair, strict=True)) for name, pair in regions.items()}
        return record | {"intervals": record["intervals"] | ends}

    said = "These regions are the intervals in the tables."
    assert said in caption("profile", fits_with(results, by_profile))
    assert said not in caption("profile", results), "its noise is shared: intervals are by draws"


def test_logarithmic_axes_and_laws_without_a_ratio_are_named(results):
    said = caption("parameters", results)
    assert "no ratio for additive, whose V* depends on the budget" in said
    panels = panels_of(drawn("parameters", results))
    logarithmic = [axis for axis in panels if axis.get_xscale() == "log"]
    assert all(axis.get_xlabel().endswith(", logarithmic") for axis in logarithmic)
    assert ("These axes are logarithmic:" in said) == bool(logarithmic)


def test_curves_that_coincide_are_drawn_once_and_named_together(results):
    twins = {
        key: results.fits[key[0], "product-all"] if key[1] == "log_linear-all" else fit
        for key, fit in results.fits.items()
    }
    same = replace(results, fits=twins)
    (first, second) = optimal_tokens.shown(same)
    assert first.curves[0][0] == ["product", "log_linear"]
    names = [name for laws, _ in first.curves for name in laws]
    assert sorted(names) == ["log_linear", "product", "product_q_plus_v"]
    axis = panels_of(drawn("optimal_tokens", same))[0]
    curves = [line for line in axis.get_lines() if len(line.get_xdata()) > 10]
    assert len(curves) == len(first.curves) + len(second.curves)
    said = " ".join(labels(drawn("optimal_tokens", same))).replace("\n", " ")
    assert "Counting and colours: product, log_linear" in said
    assert "Reading digits: product" in said
    assert "named together" in caption("optimal_tokens", same)


def test_a_suite_on_top_of_another_leaves_it_visible(results):
    axis = panels_of(drawn("optimal_tokens", results))[0]
    thick = [
        line for line in axis.get_lines() if line.get_linewidth() >= 2 and line.get_linestyle() == "-"
    ]
    below, above = sorted(thick, key=lambda line: line.get_zorder())
    assert below.get_linewidth() > above.get_linewidth()
    assert "if models of every size are available" in axis.get_title()


def test_a_band_is_named_only_where_it_can_be_seen(results):
    band = "95 % interval by product"
    assert band in labels(drawn("optimal_tokens", results))
    sure = {
        key: replace(fit, draws=np.repeat(optimal_tokens.point(fit), 5, axis=0))
        for key, fit in results.fits.items()
    }
    exact = replace(results, fits=sure)
    assert band not in labels(drawn("optimal_tokens", exact))
    assert "narrower than the line" in caption("optimal_tokens", exact)


def test_costs_of_groups_are_called_means(results):
    costs = [label for label in labels(drawn("fig4", results)) if "FLOPs" in label]
    assert costs
    assert all(label.startswith("about ") for label in costs)


def compared(laws):
    rows = [
        ("reasoning", name, study, "scenes", law, 9, 0.5, 0.3, 0.9, 1.0)
        for study, law in zip("ab", laws, strict=True)
        for name in ("alpha_over_beta", "alpha")
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_a_comparison_says_what_is_compared_and_by_which_law():
    with styled():
        title = studies.draw(compared(["product", "product"])).get_suptitle()
        mixed = studies.draw(compared(["product", "additive"]))
    assert title.startswith("α/β, α of a and b, fitted by the law product.")
    assert "Bars are 95 % intervals." in title
    assert "each study's first law (product, additive)" in mixed.get_suptitle()
    ratios = [line for line in mixed.axes[0].get_lines() if line.get_marker() == "o"]
    assert len(ratios) == 1, "alpha / beta of an additive law is not an exchange rate"
