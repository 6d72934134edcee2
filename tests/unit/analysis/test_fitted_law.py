"""A fit read back predicts as the fit did; anything else is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import configurations
from paretoken.errors import UserError


def test_read_back_it_predicts_as_the_formula(published_record, write):
    fit = FittedLaw.read(write(json.dumps(published_record), "fit.json"))
    p = published_record["parameters"]
    expected = p["K"] * 4 ** -p["alpha"] * 64 ** -p["beta"] + p["D"]
    assert float(fit.predict(4.0, 64.0)) == pytest.approx(expected, rel=1e-12)
    assert fit.sizes == [0.5, 1.8, 4, 7]
    assert fit.token_counts == [1, 4, 16, 36, 64, 144, 576]
    assert fit.draws.shape[1] == 4
    assert 190 <= len(fit.draws) <= 200  # replicates of a single size are unusable


def test_interval_surrounds_the_prediction_and_widens_outside_the_data(published_record):
    fit = FittedLaw.from_record(published_record)
    N = np.array([4.0, 100.0])
    low, high = fit.interval(N, 64.0)
    predicted = fit.predict(N, 64.0)
    assert (low < predicted).all()
    assert (predicted < high).all()
    assert high[1] - low[1] > 2 * (high[0] - low[0])


def test_text_tokens_inside_the_law_come_from_the_row_or_the_fit(published_record):
    record = published_record | {"law": "product_q_plus_v", "text_tokens_in_law": 50}
    fit, p = FittedLaw.from_record(record), published_record["parameters"]

    def by_hand(Q):
        return p["K"] * 7 ** -p["alpha"] * (Q + 16) ** -p["beta"] + p["D"]

    assert float(fit.predict(7.0, 16.0)) == pytest.approx(by_hand(50))
    assert float(fit.predict(7.0, 16.0, 200)) == pytest.approx(by_hand(200))
    assert float(fit.predict(7.0, 16.0, 0)) == pytest.approx(by_hand(0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"law": "nonsense"}, "unknown law 'nonsense'"),
        ({"parameters": {"K": 1.0, "alpha": 0.1}}, "needs D, beta"),
    ],
)
def test_a_damaged_fit_is_refused(published_record, change, words):
    with pytest.raises(UserError, match=words):
        FittedLaw.from_record(published_record | change)


def test_missing_parts_are_listed():
    with pytest.raises(UserError) as refused:
        FittedLaw.from_record({"law": "product", "parameters": {}}, "mine.json")
    for word in ("mine.json", "data", "draws", "paretoken fit"):
        assert word in str(refused.value)


@pytest.mark.parametrize("content", ["[]", "3", '"text"', "null"])
def test_json_that_is_not_a_record_is_refused(write, content):
    with pytest.raises(UserError, match="is not a fit"):
        FittedLaw.read(write(content, "fit.json"))


@pytest.mark.parametrize(
    "change", [{"data": {}}, {"parameters": {"K": "a", "D": 0, "alpha": 0.1, "beta": 0.1}},
               {"draws": [[1.0, 2.0]]}, {"intervals": {"alpha": {"low": {}, "high": 1}}},
               {"intervals": {"alpha_over_beta": {"high": "1"}}}, {"intervals": {"K": 3}}]
)  # fmt: skip
def test_a_record_damaged_within_is_a_user_error(published_record, change):
    with pytest.raises(UserError):
        _ = FittedLaw.from_record(published_record | change).sizes


def test_levels_and_draws_are_counted_before_they_are_multiplied(published_record):
    levels = {"N": list(range(1, 2001)), "V": list(range(1, 2001))}
    data = published_record["data"] | {"levels": levels}
    with pytest.raises(UserError, match="2,000 sizes times 2,000 token counts are 4,000,000; at most"):
        FittedLaw.from_record(published_record | {"data": data})
    fit = FittedLaw.from_record(published_record)
    many = np.broadcast_to(1.0, (10**4, 10**3))
    with pytest.raises(UserError, match="draws of the fit times 10,000,000 configurations are"):
        fit.draw_errors(many, many)
    with pytest.raises(UserError, match="10,000 sizes times 10,000 token counts"):
        configurations(fit, range(1, 10_001), range(1, 10_001), 0)
