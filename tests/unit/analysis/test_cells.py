"""Reading cells: every row is fitted, refused with its line, or listed as left out."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from paretoken.analysis.cells import Cells, Selection, read_cells, require_identifiable
from paretoken.errors import FitError, UserError

HEAD = "params_b,visual_tokens,error,flag\n"
ROWS = "1,1,.5,\n2,1,.4,\n1,4,.45,odd\n2,4,.35,\n"


def test_cells_are_the_rows(write):
    path = write(HEAD + ROWS)
    data = read_cells(path, Selection())
    assert data.cells.N.tolist() == [1, 2, 1, 2]
    assert data.cells.V.tolist() == [1, 1, 4, 4]
    assert data.cells.Y.tolist() == [0.5, 0.4, 0.45, 0.35]
    assert data.cells.weight.tolist() == [1, 1, 1, 1]
    assert data.provenance["path"] == str(path)
    assert data.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.provenance["rows"] == 4
    assert data.provenance["exclusions"] == []
    assert data.flagged == ["line 4: odd"]


def test_columns_may_have_other_names(write):
    path = write("n,d,loss\n1e7,1e9,3.5\n1e8,1e10,2.5\n")
    data = read_cells(path, Selection(n_column="n", v_column="d", error_column="loss"))
    assert data.cells.N.tolist() == [1e7, 1e8]
    assert data.provenance["columns"] == {"N": "n", "V": "d", "Y": "loss"}


def test_a_missing_column_lists_those_there(write):
    with pytest.raises(UserError, match=r"no column 'error'; its columns are: params_b, tokens"):
        read_cells(write("params_b,tokens\n1,2\n"), Selection())


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_table_that_is_not_separated_by_commas_is_reported(write, mark):
    with pytest.raises(UserError, match=r"seem to be separated by .*; write it with commas"):
        read_cells(write((HEAD + ROWS).replace(",", mark)), Selection())


def test_copies_of_a_row_are_named_and_other_seeds_are_not_copies(write):
    data = read_cells(write(HEAD + ROWS + "1,1,.5,\n2,1,.41,\n"), Selection())
    assert data.repeated == [6]
    assert len(data.cells) == 6
    seeds = "params_b,visual_tokens,error,seed\n1,1,.5,0\n1,1,.5,1\n"
    assert read_cells(write(seeds), Selection()).repeated == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,4,abc,", "line 3: error = 'abc' is not a finite number"),
        ("1,4,nan,", "line 3: error = 'nan' is not a finite number"),
        ("1,4,inf,", "line 3: error = 'inf' is not a finite number"),
        ("1,4,1e999,", "line 3: error = '1e999' is not a finite number"),
        ('1,4,"0,5",', "line 3: error = '0,5' is not a finite number"),
        ("1,many,.5,", "line 3: visual_tokens = 'many' is not a finite number"),
        ("1,,.5,", "line 3: visual_tokens = '' is not a finite number"),
        ("1,-4,.5,", "line 3: visual_tokens = '-4' must be 0 or more"),
        ("0,4,.5,", "line 3: params_b = '0' must be greater than 0"),
        ("-7,4,.5,", "line 3: params_b = '-7' must be greater than 0"),
        (",4,.5,", "line 3: params_b = '' is not a finite number"),
    ],
)
def test_a_bad_value_is_named_with_its_line(write, row, words):
    with pytest.raises(UserError) as refused:
        read_cells(write(HEAD + "1,1,.5,\n" + row + "\n2,1,.4,\n"), Selection())
    assert words in str(refused.value)


def test_further_bad_values_are_counted(write):
    with pytest.raises(UserError, match=r"line 2: .*line 3: .*line 4: "):
        read_cells(write(HEAD + "1,1,x,\n2,1,y,\n1,4,z,\n2,4,.3,\n"), Selection())


def test_blank_lines_do_not_shift_line_numbers(write):
    with pytest.raises(UserError, match="line 5: error = 'abc'"):
        read_cells(write(HEAD + "1,1,.5,\n\n\n2,1,abc,\n"), Selection())


def test_rows_without_a_measurement_and_without_tokens_are_listed(write):
    data = read_cells(write(HEAD + "1,1,,\n1,0,.6,\n" + ROWS), Selection())
    assert len(data.cells) == 4
    assert [(e["line"], e["reason"]) for e in data.provenance["exclusions"]] == [
        (2, "no measurement"),
        (3, "no visual tokens (the law needs V > 0)"),
    ]
    assert data.provenance["rows"] == 6


def test_rows_without_tokens_stay_where_the_law_has_text(write):
    data = read_cells(write(HEAD + "1,0,.6,\n" + ROWS), Selection(zero_tokens_allowed=True))
    assert data.cells.V.tolist()[0] == 0
    assert data.provenance["exclusions"] == []


def test_no_row_left_is_refused_with_the_reasons(write):
    with pytest.raises(FitError, match=r"no row is left.*no measurement"):
        read_cells(write(HEAD + "1,1,,\n2,1,,\n"), Selection())


def test_flagged_rows_are_left_out_only_if_asked(write):
    path = write(HEAD + ROWS)
    assert len(read_cells(path, Selection()).cells) == 4
    data = read_cells(path, Selection(exclude_flagged=True))
    assert data.cells.Y.tolist() == [0.5, 0.4, 0.35]
    assert data.provenance["exclusions"] == [{"line": 4, "reason": "flagged: odd"}]
    assert data.flagged == []


def test_flags_need_their_column(write):
    with pytest.raises(UserError, match="no column 'flag'"):
        read_cells(write("params_b,visual_tokens,error\n1,1,.5\n"), Selection(exclude_flagged=True))


# --- suites -----------------------------------------------------------------------------------

SUITES = "suite,params_b,visual_tokens,error\na,1,1,.5\nb,1,1,.9\na,2,1,.4\n"


def test_several_suites_need_a_choice(write):
    with pytest.raises(UserError, match=r"several suites; choose one with --suite: a, b"):
        read_cells(write(SUITES), Selection())


def test_one_suite_is_chosen(write):
    assert read_cells(write(SUITES), Selection(suite="a")).cells.Y.tolist() == [0.5, 0.4]


def test_an_unknown_suite_lists_those_there(write):
    with pytest.raises(
        UserError, match=r"unknown suite 'visua1'; write one of: ocr, visual.*did you mean"
    ):
        read_cells(write(SUITES.replace("a,", "visual,").replace("b,1", "ocr,1")
                         .replace("params_visual", "params_b")), Selection(suite="visua1"))  # fmt: skip


def test_a_suite_needs_its_column(write):
    with pytest.raises(UserError, match="no column 'suite'"):
        read_cells(write(HEAD + ROWS), Selection(suite="a"))


def test_a_single_suite_needs_no_choice(write):
    assert len(read_cells(write(SUITES.replace("b,1,1,.9\n", "")), Selection()).cells) == 2


def test_where_selects_rows_and_must_match(write):
    path = write("compressor,params_b,visual_tokens,error\npool,1,1,.5\npacker,1,1,.4\n")
    assert read_cells(path, Selection(where={"compressor": "packer"})).cells.Y.tolist() == [0.4]
    with pytest.raises(UserError, match="no row has compressor = 'other'"):
        read_cells(path, Selection(where={"compressor": "other"}))


# --- weights ----------------------------------------------------------------------------------


def weighted(write, values):
    rows = "".join(f"{i + 1},4,.5,{v}\n" for i, v in enumerate(values))
    return write("params_b,visual_tokens,error,w\n" + rows)


def test_weights_and_standard_errors(write):
    path = weighted(write, [0, 1, 2.5])
    assert read_cells(path, Selection(weights="w")).cells.weight.tolist() == [0, 1, 2.5]
    path = weighted(write, [0.5, 1, 0.1])
    assert read_cells(path, Selection(sigma="w")).cells.weight == pytest.approx([4, 1, 100])


@pytest.mark.parametrize(
    ("values", "selection", "words"),
    [
        ([1, -1], Selection(weights="w"), "line 3: w = '-1' must be 0 or more"),
        ([1, "x"], Selection(weights="w"), "line 3: w = 'x' is not a finite number"),
        ([0, 0], Selection(weights="w"), "every value of 'w' is 0"),
        ([1, 0], Selection(sigma="w"), "line 3: w = '0' must be greater than 0"),
        ([1, 1], Selection(weights="v"), "no column 'v'"),
        ([1, 1], Selection(weights="w", sigma="w"), "not both"),
    ],
)
def test_bad_weights_are_refused(write, values, selection, words):
    with pytest.raises(UserError, match=words):
        read_cells(weighted(write, values), selection)


def test_used_cells_are_those_with_weight():
    cells = Cells(np.ones(3), np.ones(3), np.ones(3), np.array([0.0, 2.0, 1.0]))
    assert cells.used.tolist() == [False, True, True]
    assert cells.reweighted(np.zeros(3)).used.tolist() == [False] * 3
    assert len(cells) == 3


def test_identifiability():
    N, V = np.array([1, 1, 2, 2.0]), np.array([1, 4, 1, 4.0])
    cells = Cells(N, V, N, np.ones(4))
    require_identifiable(cells, ["K", "D", "alpha", "beta"])
    with pytest.raises(
        FitError, match=r"4 distinct cells cannot determine 5 parameters \(E, A, B, alpha, beta\)"
    ):
        require_identifiable(cells, ["E", "A", "B", "alpha", "beta"])
    with pytest.raises(FitError, match=r"only one level of V \(1\)"):
        require_identifiable(cells.reweighted(np.array([1, 0, 1, 0.0])), ["K"])


def test_more_rows_than_can_be_fitted_are_refused(write, monkeypatch):
    monkeypatch.setattr("paretoken.analysis.cells.MOST_FITTED", 3)
    with pytest.raises(UserError, match=r"csv: \d rows to fit; at most 3 are allowed"):
        read_cells(write(HEAD + ROWS), Selection())
