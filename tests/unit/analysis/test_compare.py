"""Studies side by side: matched by role, with intervals, and refused with a reason."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.compare import RATIO, read_studies, side_by_side, verdicts, which_is_larger
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.cli import main
from paretoken.io.files import read_json, write_json
from report_study import SUITES, copied, finished_study


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    both = finished_study(root / "a", laws=["product", "additive"])
    one = finished_study(root / "b", suites=SUITES[1:], laws=["product"])
    return both.folder.rename(both.root / "results/both"), one.folder.rename(one.root / "results/one")


def test_each_number_is_its_fits(folders):
    table = side_by_side(read_studies(folders))
    for _, row in table.iterrows():
        folder = next(path for path in folders if path.name == row["study"])
        fit = FittedLaw.read(folder / "fits" / row["suite"] / "product-all.json")
        values = {**fit.parameters, RATIO: fit.record["alpha_over_beta"]}
        assert row["estimate"] == values[row["parameter"]]
        assert row["low"] == fit.record["intervals"][row["parameter"]]["low"]
    counts = table.groupby(["role", "study"]).size()
    assert counts.to_dict() == {("ocr", "both"): 5, ("ocr", "one"): 5, ("reasoning", "both"): 5}


def test_the_same_suite_agrees_with_itself(folders):
    said = verdicts(read_studies(folders))
    names = "both (digits) and one (digits)"
    assert said == [f"ocr: alpha / beta of {names} do not differ significantly."]


def test_a_difference_is_reported_also_for_an_unbounded_ratio(folders):
    path = folders[1] / "fits" / "digits" / "product-all.json"
    record = read_json(path)
    try:
        write_json(path, record | {"draws": [[*row[:3], 0.0] for row in record["draws"]]})
        said = verdicts(read_studies(folders))
    finally:
        write_json(path, record)
    names = "both (digits) and one (digits)"
    assert said == [
        f"ocr: alpha / beta of {names} differ significantly: one (digits) has the larger one."
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"constraints": {"tied": ["alpha", "beta"], "fixed": {}, "chance": None}},
            "assumes alpha = beta",
        ),
        ({"constraints": {"tied": None, "fixed": {"beta": 0.0}, "chance": None}}, "assumes beta = 0"),
        ({"draws": [], "noise_draws": []}, "has no bootstrap draws"),
    ],
)
def test_what_was_not_found_is_not_compared(folders, changes, said):
    """The same cells twice, once with something assumed: no difference between studies."""
    path = folders[1] / "fits" / "digits" / "product-all.json"
    record = read_json(path)
    try:
        write_json(path, record | changes)
        (sentence,) = verdicts(read_studies(folders))
    finally:
        write_json(path, record)
    assert "cannot be compared" in sentence
    assert said in sentence


def test_an_absent_effect_gives_no_difference(folders):
    path = folders[1] / "fits" / "digits" / "product-all.json"
    record = read_json(path)
    absent = record["effects"]["V"] | {
        "falls": False,
        "words": "The data show no significant effect of V.",
    }
    draws = [[*row[:3], 0.0] for row in record["draws"]]
    try:
        write_json(path, record | {"draws": draws, "effects": record["effects"] | {"V": absent}})
        (sentence,) = verdicts(read_studies(folders))
    finally:
        write_json(path, record)
    assert "cannot be compared: one (digits): The data show no significant effect of V." in sentence


def test_equal_numbers_differ_as_rarely_as_the_test_says():
    """Draws around two estimates: overlapping intervals can still differ, and equal truths seldom do."""
    generator = np.random.default_rng(0)
    told = sum(
        which_is_larger(*(generator.normal(generator.normal(), 1, 400) for _ in range(2))) != 0
        for _ in range(400)
    )
    assert told <= binom.ppf(1 - 1e-3, 400, 0.05)
    one, other = generator.normal(0, 1, 4000), generator.normal(3, 1, 4000)
    assert np.quantile(one, 0.975) > np.quantile(other, 0.025), "the intervals overlap"
    assert which_is_larger(one, other) == -1
    assert which_is_larger(other, one) == 1
    infinite = np.full(10, np.inf)
    assert which_is_larger(infinite, infinite) == 0
    assert which_is_larger(infinite, one) == 1


def test_table_figure_and_page(folders, tmp_path, capsys):
    out, figures = tmp_path / "c.csv", [tmp_path / "c.png", tmp_path / "c.pdf"]
    arguments = ["compare", *folders, "--out", out, "--out-figure", *figures]
    assert main([str(word) for word in arguments]) == 0
    printed = capsys.readouterr().out
    assert "role       parameter        both" in printed
    assert printed.count("–") == 5, "the study without a reasoning suite has nothing there"
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 15
    assert all(path.stat().st_size > 5000 for path in figures)


def test_an_unbounded_ratio_is_drawn(folders, tmp_path):
    from paretoken.figures.studies import save

    table = side_by_side(read_studies(folders))
    first = table.index[table["parameter"] == RATIO][0]
    table.loc[first, ["estimate", "low", "high"]] = [np.inf, 3.0, np.inf]
    save(table, [tmp_path / "c.png"])
    assert (tmp_path / "c.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}"], "needs two or more different studies"),
        (["{0}", "{0}/../both"], "needs two or more different studies"),
        (["{0}", "/nowhere/absent"], "no study.json); run it with `snakemake --config run=[absent]`"),
        (["{0}", "{1}", "--law", "additive"], "has no fit of the law additive; it has: product"),
        (
            ["{0}", "{1}", "--out-figure", "c.docx"],
            "c.docx: unsupported file format; write one of .png, .pdf, .svg",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(folders, tmp_path, capsys, arguments, message):
    filled = [word.format(*folders) for word in arguments]
    assert main(["compare", *filled, "--out", str(tmp_path / "c.csv")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c.csv").exists()


def test_a_damaged_fit_is_named(tmp_path, capsys):
    one = finished_study(tmp_path / "a", suites=SUITES[:1], laws=["product"], bootstrap=0)
    two = copied(one, tmp_path / "b")
    (said,) = verdicts(read_studies([one.folder, two.folder]))
    assert said.endswith("(scenes) has no bootstrap draws.")
    assert "cannot be compared" in said
    path = two.folder / "fits" / "scenes" / "product-all.json"
    write_json(path, {**read_json(path), "parameters": {}})
    assert main(["compare", str(one.folder), str(two.folder)]) == 2
    assert "product-all.json" in capsys.readouterr().err
