"""Latency, energy and price: between measurements, outside of them, and from other files."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from known_seconds import BATCHES, SIZES, seconds
from paretoken.costs.models.base import Cost
from paretoken.costs.models.deployment import Deployment
from paretoken.costs.models.latency_table import read_latency
from paretoken.costs.models.on_device import ENERGY, LATENCY, PRICE
from paretoken.errors import UserError
from paretoken.io.bounded import MIB


def cost(path, model=LATENCY, **settings):
    return Cost(model, Deployment(latency=read_latency(path), **settings))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("n", "v", "q"), [(1.0, 4.0, 50.0), (3.0, 10.0, 75.0), (1.5, 1.0, 0.0)])
def test_milliseconds_at_and_between_measurements(latency_csv, batch, n, v, q):
    known = seconds(n, v, q, batch)
    first = known["encoder_s"] + known["prefill_s"]
    assert cost(latency_csv(), batch=batch)(n, v, q) == pytest.approx(1000 * first)
    whole = first + 31 * known["decode_s"]
    assert cost(latency_csv(), batch=batch, answer_tokens=32.0)(n, v, q) == pytest.approx(1000 * whole)


def test_without_encoder_and_with_cached_text(latency_csv):
    known = seconds(2.0, 4.0, 0.0, 1)
    bare = cost(latency_csv(), encoder=False, cached_text=True)(2.0, 4.0, 50.0)
    assert bare == pytest.approx(1000 * known["prefill_s"])


def test_energy_and_price_are_per_answer(latency_csv):
    known = seconds(2.0, 4.0, 50.0, 8)
    joules = (known["encoder_j"] + known["prefill_j"]) / 8
    assert cost(latency_csv(), ENERGY, batch=8)(2.0, 4.0, 50.0) == pytest.approx(joules)
    hours = (known["encoder_s"] + known["prefill_s"]) / 8 / 3600
    price = cost(latency_csv(), PRICE, batch=8, price_per_hour=3.0)
    assert price(2.0, 4.0, 50.0) == pytest.approx(1000 * 3.0 * hours)
    assert price.options() == ["--cost", "price", "--batch", "8", "--price-per-hour", "3"]


def test_outside_of_what_was_measured_nothing_is_known(latency_csv):
    measured = cost(latency_csv())
    assert np.isnan(measured(np.array([0.5, 5.0]), np.array([4.0, 4.0]), 50.0)).all()
    assert np.isnan(measured(1.0, 17.0, 50.0))
    assert np.isnan(measured(1.0, 4.0, 101.0))


def test_a_combination_that_did_not_run_is_unknown(latency_csv):
    def too_large(row):
        lost = row["params_b"] == 4.0 and row["batch"] == 8 and row["visual_tokens"] == 16
        return row | {"prefill_s": ""} if lost else row

    measured = cost(latency_csv(too_large), batch=8)
    assert np.isnan(measured(4.0, 16.0, 50.0))
    assert np.isfinite(measured(4.0, 4.0, 50.0))


def test_a_single_size_is_known_only_at_its_n(latency_csv):
    measured = cost(latency_csv(lambda row: row if row["params_b"] == 2.0 else None))
    assert np.isfinite(measured(2.0, 10.0, 60.0))
    assert np.isnan(measured(1.9, 10.0, 60.0))


def test_a_batch_that_was_not_measured_is_refused(latency_csv):
    with pytest.raises(UserError, match="no measurement of 3 questions at once; use a batch of 1, 8"):
        cost(latency_csv(), batch=3)(1.0, 4.0, 50.0)


def test_a_hole_in_the_grid_is_named(latency_csv):
    def hole(row):
        at = (row["params_b"], row["visual_tokens"], row["text_tokens"], row["batch"])
        return None if at == (2.0, 4, 50, 1) else row

    with pytest.raises(
        UserError, match="1 combination is missing, the first at params_b = 2, visual_tokens = 4, text"
    ):
        read_latency(latency_csv(hole))


def test_a_sparse_grid_is_refused_before_it_is_made(latency_csv):
    path = latency_csv()
    head, *rows = path.read_text().splitlines()
    fields, names = rows[0].split(","), head.split(",")
    lines = [head]
    for number in range(1, 1201):
        own = dict(zip(names, fields, strict=True))
        own |= dict.fromkeys(("params_b", "visual_tokens", "text_tokens"), str(number))
        lines.append(",".join(own.values()))
    path.write_text("\n".join(lines) + "\n")
    tracemalloc.start()
    with pytest.raises(UserError, match=r"1,727,998,800 combinations.*params_b = 1, visual_tokens = 1"):
        read_latency(path)
    assert tracemalloc.get_traced_memory()[1] < 100 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize("wrong", ["fast", "-1", "inf"])
def test_garbage_in_a_cell_is_named(latency_csv, wrong):
    def spoil(row):
        return row | {"decode_s": wrong} if row["text_tokens"] == 50 else row

    with pytest.raises(
        UserError, match=rf"decode_s = .*{wrong}.* in row \d+ is not a number of 0 or more"
    ):
        read_latency(latency_csv(spoil))


def test_two_devices_in_a_table_are_refused(latency_csv):
    with pytest.raises(UserError, match=r"mixes devices \(Abacus 9, Slide rule\)"):
        read_latency(latency_csv(lambda r: r | {"device": "Slide rule"} if r["batch"] == 8 else r))


def test_a_duplicate_row_is_refused(latency_csv):
    path = latency_csv()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1]]) + "\n")
    with pytest.raises(UserError, match="share a key"):
        read_latency(path)


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "errors.csv"
    path.write_text("study,error\nx,0.5\n")
    with pytest.raises(UserError, match=r"not a table of latency: it lacks llm.*paretoken latency"):
        read_latency(path)


COSTS = """study,llm,params_b,compressor,visual_tokens,seed,latency_s,encoder_latency_s,latency_device
s,a,1,average_pool,1,0,0.010,0.002,cpu
s,a,1,average_pool,1,1,0.014,0.002,cpu
s,a,1,average_pool,4,0,0.020,0.002,cpu
s,b,2,average_pool,1,0,0.030,0.002,cpu
s,b,2,average_pool,4,0,0.040,0.002,cpu
s,b,2,average_pool,0,0,0.005,,cpu
"""


def test_a_trained_studys_own_costs_are_whole_answers_at_any_q(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(COSTS)
    measured = cost(path)
    expected = 1000 * (np.array([0.012, 0.020, 0.030, 0.040]) + 0.002)
    N, V = np.array([1.0, 1, 2, 2]), np.array([1.0, 4, 1, 4])
    for Q in (0.0, 7.0, 1000.0):
        np.testing.assert_allclose(measured(N, V, Q), expected)
    with pytest.raises(UserError, match="other lengths of answers and cached text are not available"):
        cost(path, answer_tokens=5.0)(N, V, 0.0)
    with pytest.raises(UserError, match="has no energy"):
        cost(path, ENERGY)(N, V, 0.0)


def test_a_study_that_measured_nothing_says_so(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("\n".join(line.rsplit(",", 3)[0] + ",,," for line in COSTS.splitlines()[1:]))
    path.write_text(COSTS.splitlines()[0] + "\n" + path.read_text() + "\n")
    with pytest.raises(UserError, match="has no measured latency"):
        read_latency(path)


def test_sizes_of_the_fixture_are_those_of_the_table(latency_csv):
    assert read_latency(latency_csv()).axes[1][0].tolist() == list(SIZES)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("batch", "1.5", "batch in row 2 must be a whole number of 1 or more, got 1.5"),
        ("batch", "0", "batch in row 2 must be a whole number of 1 or more, got 0"),
        ("batch", "", "batch in row 2 must be a whole number of 1 or more, it is blank"),
        ("params_b", "", "params_b in row 2 must be a number, it is blank"),
        ("text_tokens", "", "text_tokens in row 2 must be a number, it is blank"),
        ("prefill_s", "-1", "prefill_s = -1.0 in row 2 is not a number of 0 or more"),
    ],
)
def test_a_row_that_does_not_say_what_was_measured_is_named(latency_csv, column, value, words):
    path = latency_csv()
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[2][lines[0].index(column)] = value
    path.write_text("".join(",".join(line) + "\n" for line in lines))
    with pytest.raises(UserError) as refused:
        read_latency(path)
    assert words in str(refused.value)


def spread_csv(path, spread, **columns):
    """Write a trained study's tables/costs.csv with quartiles that are ``spread`` seconds apart."""
    names = ["params_b", "visual_tokens", "latency_s", "latency_low_s", "latency_high_s"]
    lines = [",".join([*names, "encoder_latency_s", "latency_device"])]
    for n, v in ((1, 4), (1, 9), (2, 4), (2, 9)):
        middle = 0.01 * n + 0.001 * v
        for seed in range(columns.get("seeds", 1)):
            seconds = middle + columns.get("drift", 0.0) * seed
            low, high = seconds - spread / 2, seconds + spread / 2
            lines.append(f"{n},{v},{seconds},{low},{high},,cpu")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_quartiles_of_single_answers_are_a_standard_error_of_their_median(tmp_path):
    """The median of 50 normal values has 1.2533 / sqrt(50) of their standard deviation."""
    table = read_latency(spread_csv(tmp_path / "costs.csv", 0.001349))
    found = Cost(LATENCY, Deployment(latency=table)).standard_error(
        np.array([1.0, 2.0]), np.array([4.0, 9.0]), 0.0
    )
    assert found == pytest.approx([1.2533 / np.sqrt(50)] * 2, rel=1e-3)
    seeds = read_latency(spread_csv(tmp_path / "seeds.csv", 0.0, seeds=3, drift=0.001))
    spread = Cost(LATENCY, Deployment(latency=seeds)).standard_error(1.0, 4.0, 0.0)
    assert float(spread) == pytest.approx(1 / np.sqrt(3), rel=1e-6), "of three seeds, 1 ms apart"


def test_a_table_without_spread_has_no_standard_error(latency_csv):
    known = cost(latency_csv())
    assert known.standard_error(1.0, 4.0, 50.0) is None
    assert known.measured


def test_standard_errors_of_parts_add_as_squares(latency_csv):
    path = latency_csv()
    rows = path.read_text().splitlines()
    known = [f"{row},0.003,0.004,0.001" for row in rows[1:]]
    path.write_text("\n".join([f"{rows[0]},encoder_se,prefill_se,decode_se", *known]) + "\n")
    table = read_latency(path)
    both = Cost(LATENCY, Deployment(latency=table)).standard_error(1.0, 4.0, 50.0)
    assert float(both) == pytest.approx(5.0)
    alone = Cost(LATENCY, Deployment(latency=table, encoder=False)).standard_error(1.0, 4.0, 50.0)
    assert float(alone) == pytest.approx(4.0)
    longer = Cost(LATENCY, Deployment(latency=table, encoder=False, answer_tokens=4))
    assert float(longer.standard_error(1.0, 4.0, 50.0)) == pytest.approx(5.0)
    price = Cost(PRICE, Deployment(latency=table, price_per_hour=3.6, encoder=False))
    assert float(price.standard_error(1.0, 4.0, 50.0)) == pytest.approx(0.004)
