"""Every registered figure, drawn from a small study whose law is known."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.image import imread

from figure_study import (
    LAWS,
    NAMES,
    SEEDS,
    SIZES,
    TOKENS,
    changed,
    drawn,
    fits_with,
    make_results,
    panels_of,
    without_published,
)
from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.costs.models.paper import PAPER_COST
from paretoken.errors import UserError
from paretoken.figures import (
    base,
    cost_curves,
    crossover,
    equal_cost_pairs,
    extrapolation,
    parameters,
    profile,
    residuals,
)
from paretoken.figures import optimal_tokens as optimal
from paretoken.figures.base import save
from paretoken.figures.parts import formula, mean_cells, parameter_lines
from paretoken.figures.style import marker_size, ramp, styled, token_area
from paretoken.io.text_tables import size_label
from paretoken.registry import FIGURES
from paretoken.study.published import PAPER_GRID

#: Dots per inch that suffice for tests.
COARSE = 60


@pytest.fixture(scope="module")
def results():
    return make_results()


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_drawn_and_is_the_same_each_time(name, results, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "DPI", COARSE)
    figure = FIGURES.load(name)
    assert figure.name == name
    assert figure.title_of(results)
    assert figure.caption_of(results).endswith(".")
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    drawing = drawn(name, results)
    drawing.set_dpi(COARSE)
    with styled():
        drawing.savefig(first, dpi=COARSE)
    save(figure, results, [second])
    assert first.read_bytes() == second.read_bytes()
    pixels = imread(first)[:, :, :3]
    assert 6 * COARSE <= pixels.shape[1] <= 10 * COARSE
    assert pixels.std() > 0.05
    edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    assert all((edge == 1).all() for edge in edges), "something is clipped at the edge"
    for legend, axis in product(drawing.legends, panels_of(drawing)):
        assert not legend.get_window_extent().padded(-1).overlaps(axis.get_tightbbox())


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_needs_no_published_values_and_labels_its_axes(name, results):
    panels = panels_of(drawn(name, without_published(results)))
    assert panels
    for axis in panels:
        assert axis.get_xlabel()
        assert axis.get_ylabel() or name == "parameters" or axis is not panels[0]


def test_pdf_and_svg_are_written_without_a_date(results, tmp_path):
    pdf, svg = tmp_path / "fig3a.pdf", tmp_path / "fig3a.svg"
    save(FIGURES.load("fig3a"), results, [pdf, svg])
    assert b"CreationDate" not in pdf.read_bytes()
    assert b"<dc:date>" not in svg.read_bytes()
    assert "<svg" in svg.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_without_a_reasoning_or_ocr_suite_the_message_says_what_to_add(name, results):
    role = "ocr" if name == "fig3b" else "reasoning"
    other = {"name": "noise", "title": "Noise", "role": "control"}
    with pytest.raises(UserError, match=rf"{name} .* needs a suite with role {role}.*config.yaml"):
        FIGURES.load(name).draw(changed(results, suites=[other]))


def test_fig4_needs_both_suites(results):
    only = [{"name": "scenes", "title": "Scenes", "role": "reasoning"}]
    with pytest.raises(UserError, match=r"fig4 .* needs a suite with role ocr"):
        equal_cost_pairs.draw(changed(results, suites=only))


@pytest.mark.parametrize("name", ["optimal_tokens", "residuals", "parameters"])
def test_the_ocr_suite_is_shown_only_where_there_is_one(name, results):
    only = [{"name": "scenes", "title": "Scenes", "role": "reasoning"}]
    assert len(panels_of(drawn(name, changed(results, suites=only)))) <= 3


@pytest.mark.parametrize("name", ["fig1b", "fig3a", "fig3b", "optimal_tokens"])
def test_text_tokens_are_needed_where_q_is_positive(name, results):
    with pytest.raises(UserError, match=rf"{name} .* greater than 0 under text_tokens"):
        FIGURES.load(name).draw(changed(results, text_tokens=[0]))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fig4"])
def test_a_fit_that_was_not_given_is_named(name, results):
    with pytest.raises(UserError, match=r"the fit .*product-all.json is needed"):
        FIGURES.load(name).draw(replace(results, fits={}))


def test_cells_that_are_not_measured_yet_are_named(results):
    empty = replace(results, errors=results.errors.assign(error=np.nan))
    with pytest.raises(UserError, match="no cell of suite scenes is measured"):
        cost_curves.FIG1A.draw(empty)


def test_other_needs_have_messages_of_their_own(results):
    unheld = fits_with(results, lambda record: record | {"data": record["data"] | {"held_out": []}})
    with pytest.raises(UserError, match=r"fig2 .* under predict or holdout"):
        extrapolation.draw(unheld)
    bare = fits_with(results, lambda record: record | {"profile": {}})
    with pytest.raises(UserError, match="holds no profile"):
        profile.draw(bare)
    none = fits_with(results, lambda record: record | {"holdout": {"reason": "grid"}})
    with pytest.raises(UserError, match="three or more sizes"):
        extrapolation.draw(none)
    additive = changed(results, fit={"laws": ["additive", "product"]})
    with pytest.raises(UserError, match="a first law whose V"):
        optimal.draw(additive)
    alone = results.errors[results.errors["llm"] == "a"]
    with pytest.raises(UserError, match=r"fig4 .* within 15%"):
        equal_cost_pairs.draw(replace(results, errors=alone))


@pytest.mark.parametrize("law", LAWS[1:])
@pytest.mark.parametrize("name", ["fig1b", "fig2", "profile", "residuals", "parameters"])
def test_any_law_can_be_the_headline(name, law, results):
    only = [{"name": "scenes", "title": "Scenes", "role": "reasoning"}]
    panels = panels_of(drawn(name, changed(results, fit={"laws": [law]}, suites=only)))
    assert panels
    assert all(axis.lines for axis in panels) or name == "parameters"


@pytest.mark.parametrize("name", NAMES)
def test_a_study_without_seeds_or_bootstrap_is_drawn(name, results):
    errors = results.errors[results.errors["seed"] == 0]
    bare = fits_with(results, lambda record: record | {"intervals": {}})
    fits = {
        key: replace(fit, draws=fit.draws[:0], noise=fit.noise[:0]) for key, fit in bare.fits.items()
    }
    assert drawn(name, replace(without_published(results), errors=errors, fits=fits)).axes


# What is drawn


@pytest.mark.parametrize("Q", [0.0, 8.0])
@pytest.mark.parametrize("suite", ["scenes", "digits"])
def test_no_configuration_is_below_the_pareto_line_at_no_greater_cost(Q, suite, results):
    fit = results.headline(suite)
    line = cost_curves.pareto_line(fit, fit.sizes, fit.token_counts, Q)
    assert (np.diff(line["cost"]) > 0).all()
    assert (np.diff(line["error"]) < 0).all()
    V = cost_curves.dense(fit.token_counts)
    for N in fit.sizes:
        place = np.searchsorted(line["cost"], PAPER_COST(N, V, Q), side="right") - 1
        assert (line["error"].to_numpy()[place] <= fit.predict(N, V, Q) + 1e-12).all()
    assert line["error"].iloc[-1] == pytest.approx(
        float(fit.predict(max(fit.sizes), max(fit.token_counts), Q))
    )


def test_the_papers_line_is_drawn_only_where_it_is_published(results):
    def labels(name, of):
        return [text.get_text() for legend in drawn(name, of).legends for text in legend.get_texts()]

    assert "paper's line: V = 1 at every N" in labels("fig1a", results)
    assert "paper's line: V = 5 at every N" in labels("fig1b", results)
    for name, of in (("fig1a", without_published(results)), ("fig3b", results)):
        assert not any("paper" in label for label in labels(name, of))


def test_the_papers_line_lies_on_the_black_one_in_another_colour(results):
    (axis,) = panels_of(drawn("fig1b", results))
    drawn_lines = {line.get_label(): line for line in axis.get_lines()}
    paper = drawn_lines["paper's line: V = 5 at every N"]
    black = drawn_lines["Pareto line, computed"]
    assert paper.get_zorder() > black.get_zorder()
    assert paper.get_color() not in {black.get_color(), "0.7"}
    assert paper.get_linewidth() < black.get_linewidth()


def test_whiskers_lie_above_their_markers(results):
    (first, *_) = panels_of(drawn("fig4", results))
    markers = max(c.get_zorder() for c in first.collections if isinstance(c, PathCollection))
    bars = [c for c in first.collections if isinstance(c, LineCollection)]
    assert bars
    assert all(bar.get_zorder() > markers for bar in bars)
    assert not any(bar.get_path_effects() for bar in bars), "a rim would cut the marker in two"


@pytest.mark.parametrize("name", ["fig1a", "fig4", "optimum_by_cost"])
def test_markers_are_paler_than_the_whiskers_across_them(name, results):
    points = [c for c in panels_of(drawn(name, results))[0].collections if isinstance(c, PathCollection)]
    assert points
    for each in points:
        face, edge = each.get_facecolor()[0, :3], each.get_edgecolor()[0, :3]
        assert (face > edge + 0.05).any()
        assert (face >= edge).all()


def test_the_legend_names_only_what_is_drawn(results):
    def labels(of):
        return {text.get_text() for text in drawn("fig4", of).legends[0].get_texts()}

    kinds = {"largest model errs least", "a smaller model errs least"}
    assert kinds <= labels(results)
    better = results.errors.assign(error=-np.log(results.errors["params_b"]))
    assert kinds - labels(replace(results, errors=better)) == {"a smaller model errs least"}


def test_parameters_have_one_interval_each_that_of_the_fit(results):
    panel = panels_of(drawn("parameters", results))[0]
    ends = [tuple(line.get_xdata()) for line in panel.get_lines() if line.get_linewidth() == 3.2]
    fits = parameters.variants(results, "scenes").values()
    known = [fit.record["intervals"]["alpha"] for fit in fits if "alpha" in fit.parameters]
    assert len(ends) == len(known)
    assert ends[0] == pytest.approx((known[0]["low"], known[0]["high"]))


def test_q_is_the_nearest_to_the_papers():
    assert cost_curves.nearest_positive([0, 25, 60, 200]) == 60
    assert cost_curves.nearest_positive([0, 40, 60]) == 40
    assert cost_curves.nearest_positive([0]) is None


def test_fig2_shows_the_held_out_and_the_predicted_size(results):
    both = changed(results, predict=["unmeasured"])
    labels = [text.get_text() for text in drawn("fig2", both).legends[0].get_texts()]
    bands = {"95 % of the mean", "95 % of a new measurement"}
    assert {"600K", "2M", "published parameters", *bands} <= {*labels}
    n, errors = extrapolation.backtest_errors(results.headline("scenes"))
    assert n == SIZES["f"]
    assert list(errors.index) == list(TOKENS)
    assert (errors["law"].abs() < 5).all()
    measured = mean_cells(results, "scenes").query("llm == 'f'")["error"].to_numpy()
    copied = mean_cells(results, "scenes").query("llm == 'e'")["error"].to_numpy()
    np.testing.assert_allclose(errors["last_value"], 100 * (copied / measured - 1))


def test_fig3a_marks_equal_error_at_equal_cost(results):
    drawing = drawn("fig3a", results)
    fit = results.headline("scenes")
    dots = next(line for line in drawing.axes[0].lines if line.get_marker() == "o")
    found = crossover.crossovers(fit, [SIZES["d"], SIZES["e"]], TOKENS, [4, 8, 16])
    np.testing.assert_allclose(dots.get_xdata(), found["cost"])
    known = found.dropna()
    assert len(known)
    for _, row in known.iterrows():
        errors = [
            float(fit.predict(row[f"{which}_params_b"], row[f"{which}_visual_tokens"]))
            for which in ("small", "large")
        ]
        assert errors[0] == pytest.approx(errors[1])


def test_fig4_groups_cost_nearly_the_same(results):
    groups = equal_cost_pairs.equal_cost_groups(mean_cells(results, "scenes"))
    assert groups
    for group in groups:
        cost = group["params_b"] * group["visual_tokens"]
        assert len(group) > 1
        assert group["params_b"].is_unique
        assert cost.max() <= cost.min() * (1 + equal_cost_pairs.TOLERANCE)
    cells = pd.concat(groups)[["llm", "visual_tokens"]]
    assert not cells.duplicated().any()


def test_fig4_finds_the_papers_group():
    sizes, tokens = (0.5, 1.8, 4, 7), (1, 4, 16, 36, 64, 144, 576)
    grid = pd.DataFrame(product(sizes, tokens), columns=["params_b", "visual_tokens"])
    groups = equal_cost_pairs.equal_cost_groups(grid)
    largest = max(groups, key=len)
    pairs = [*zip(largest["params_b"], largest["visual_tokens"], strict=True)]
    assert pairs == [(0.5, 576), (1.8, 144), (4, 64), (7, 36)]


def test_v_star_is_the_closed_form(results):
    fit = results.headline("scenes")
    Q = np.array([0.0, 4.0, 16.0])
    alpha, beta = fit.parameters["alpha"], fit.parameters["beta"]
    expected = np.clip(Q * beta / (alpha - beta), min(TOKENS), max(TOKENS))
    np.testing.assert_allclose(optimal.star(fit, Q, optimal.point(fit))[0], expected)
    curve = drawn("optimal_tokens", results).axes[0].lines[0]
    ratio = np.array([alpha / beta])
    for q, v in zip(curve.get_xdata(), curve.get_ydata(), strict=True):
        assert v == pytest.approx(float(optimal_tokens(fit.law, ratio, q, 1, 36)[0]))


def test_published_optima_are_read_from_their_names(results):
    assert list(optimal.published_points(results, "scenes").values()) == [(0, 1), (16, 5), (16, 6)]
    assert optimal.published_points(results, "digits") == {}


def test_profiles_touch_one_at_the_estimate(results):
    for item in results.headline("scenes").record["profile"].values():
        objective, threshold = profile.relative_objective(item)
        assert objective.min() == 1
        assert threshold > 1
        values, smooth = profile.smooth(np.array(item["value"]), objective)
        at = np.searchsorted(values, item["value"])
        np.testing.assert_allclose(smooth[at], objective, atol=1e-9)


def test_residuals_are_measured_minus_fitted_and_flags_are_named(results):
    suite = results.suite("reasoning")
    cells = residuals.residual_cells(results, suite, first=4)
    fitted = results.headline("scenes").predict(
        cells["params_b"].to_numpy(), cells["visual_tokens"].to_numpy()
    )
    np.testing.assert_allclose(cells["residual"] / 100 + fitted, cells["error"])
    flagged = cells[cells["number"] != ""]
    assert flagged[["llm", "visual_tokens", "number"]].to_numpy().tolist() == [["b", 9, "4"]]
    texts = [text.get_text() for text in drawn("residuals", results).legends[0].get_texts()]
    assert "1: 15K@9, power cut" in texts
    assert "2: 15K@9, power cut" in texts


def test_dodged_cells_stay_nearest_to_their_level():
    level, other = np.array([1.0, 1, 4, 4, 9, 9]), np.array([1.0, 2, 1, 2, 1, 2])
    x = residuals.dodged(level, other)
    levels = np.unique(level)
    nearest = levels[np.abs(np.log(x)[:, None] - np.log(levels)).argmin(axis=1)]
    np.testing.assert_array_equal(nearest, level)
    assert residuals.dodged(np.ones(2), np.ones(2)) == pytest.approx(np.ones(2))


def test_parameters_lists_every_fit_in_the_order_of_the_study(results):
    grid = {("scenes", PAPER_GRID): results.headline("scenes")}
    found = parameters.variants(replace(results, fits=results.fits | grid), "scenes")
    assert list(found) == ["product", "product, unflagged", *LAWS[1:], "paper's grid search"]
    assert parameters.estimate(found["log_linear"], "alpha") is None
    assert parameters.estimate(found["log_linear"], "alpha_over_beta") > 0
    assert parameters.estimate(found["additive"], "alpha_over_beta") is None
    assert parameters.interval(found["additive"], "alpha_over_beta") == {}
    assert parameters.interval(found["additive"], "alpha")


def test_the_published_ratio_is_never_a_quotient(results):
    assert parameters.published(results, "scenes", "alpha") == 0.077
    assert parameters.published(results, "scenes", "alpha_over_beta") is None
    row = pd.DataFrame([("scenes", "exponent_ratio", 5.0, "")], columns=results.values.columns)
    printed = replace(results, values=pd.concat([results.values, row]))
    assert parameters.published(printed, "scenes", "alpha_over_beta") == 5
    ratio = panels_of(drawn("parameters", printed))[2]
    assert 5.0 in [line.get_xdata()[0] for line in ratio.get_lines() if line.get_linestyle() == ":"]


def test_unflagged_fits_are_drawn_only_where_cells_are_flagged(results):
    clean = replace(results, errors=results.errors.assign(flag=""))
    assert list(parameters.variants(clean, "scenes")) == [*LAWS]
    held = results.errors["llm"] == "f"
    only = replace(results, errors=results.errors.assign(flag=held.map({True: "x", False: ""})))
    assert list(parameters.variants(only, "scenes")) == [*LAWS], "the fits never saw that size"


def test_an_interval_without_an_end_is_an_arrow(results):
    def open_ended(record):
        ratio = {
            "low": 1.0,
            "high": None,
            **{method: [1.0, None] for method in ("residual", "points", "cluster")},
        }
        return record | {"intervals": record["intervals"] | {"alpha_over_beta": ratio}}

    last = drawn("parameters", fits_with(results, open_ended)).axes[2]
    assert sum(line.get_marker() == ">" for line in last.lines) >= 3


# The parts they share


def test_seeds_become_means_with_standard_errors(results):
    cells = mean_cells(results, "scenes")
    assert len(cells) == len(SIZES) * len(TOKENS)
    own = results.errors.query("suite == 'scenes' and llm == 'a' and visual_tokens == 4")["error"]
    row = cells.query("llm == 'a' and visual_tokens == 4").iloc[0]
    assert row["error"] == pytest.approx(own.mean())
    assert row["stderr"] == pytest.approx(own.std() / np.sqrt(len(SEEDS)))
    one = mean_cells(replace(results, errors=results.errors.query("seed == 0")), "scenes")
    assert one["stderr_seeds"].isna().all()
    assert one["stderr"].equals(one["stderr_questions"])


@pytest.mark.parametrize(
    ("params_b", "label"),
    [
        (14, "14B"),
        (1.8, "1.8B"),
        (0.5, "0.5B"),
        (0.05, "50M"),
        (6e-4, "600K"),
        (6e-6, "6K"),
        (5e-8, "50"),
    ],
)
def test_sizes_are_written_as_people_write_them(params_b, label):
    assert size_label(params_b) == label


def test_parameters_are_written_with_their_intervals(results):
    assert [line.split(" = ")[0] for line in parameter_lines(results.headline("scenes"))] == [
        "α",
        "β",
        "α/β",
    ]
    slopes = parameter_lines(results.fit("scenes", "log_linear-all"))
    assert [line.split(" = ")[0] for line in slopes] == ["a", "b", "α/β"]
    assert formula(results.headline("scenes")) == r"$Y = K N^{-\alpha} V^{-\beta} + D$"
    assert results.headline("scenes").held_out == [SIZES["f"]]


def test_levels_are_distinguished_by_colour_and_area():
    assert len(set(ramp([3, 1, 2, 2]).values())) == 3
    assert token_area(1) == 20
    assert marker_size("o", 576) > marker_size("o", 36) > marker_size("o", 1)
