"""`paretoken latency` on tiny models: its table, what it refuses, and meters of energy."""

from __future__ import annotations

import csv
import sys
from types import SimpleNamespace

import pytest
import torch

from paretoken.cli import main
from paretoken.costs.models.base import Cost
from paretoken.costs.models.deployment import AdapterShape, Deployment, LlmShape, Shapes, write_shapes
from paretoken.costs.models.latency_table import read_latency
from paretoken.costs.models.on_device import LATENCY
from paretoken.costs.shapes import DecoderShape, EncoderShape
from paretoken.evaluate import energy, latency_grid
from paretoken.evaluate.latency_grid import Grid, build, measure_grid, set_tokens

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def decoder(hidden):
    return DecoderShape(
        hidden=hidden, layers=2, heads=4, kv_heads=2, head_width=hidden // 4, intermediate=2 * hidden,
        vocabulary=50, tied=True, query_key_value_bias=True,
    )  # fmt: skip


@pytest.fixture
def shapes():
    llms = [
        LlmShape(f"m{hidden}", n, decoder(hidden).parameters()["total"], decoder(hidden), "by hand")
        for n, hidden in ((1.0, 16), (2.0, 32))
    ]
    encoder = EncoderShape(width=16, layers=2, intermediate=32, side=4, patch=4)
    return Shapes(tuple(llms), encoder, AdapterShape("average_pool", 2, inner=24))


@pytest.fixture
def path(shapes, tmp_path):
    write_shapes(tmp_path / "shapes.json", shapes)
    return tmp_path / "shapes.json"


def test_a_table_that_costs_can_be_read_from(path, tmp_path, capsys):
    out = tmp_path / "latency.csv"
    code = main(["latency", "--shapes", str(path), "--tokens", "1", "4", "--text-tokens", "0", "6",
                 "--batch", "1", "2", "--repeats", "2",
                 "--threads", "1", "--out", str(out)])  # fmt: skip
    assert code == 0, capsys.readouterr().err
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 2 * 2 * 2 * 2
    assert all(float(row[f"{part}_s"]) > 0 for row in rows for part in ("encoder", "prefill", "decode"))
    table = read_latency(out)
    assert table.device
    cost = Cost(LATENCY, Deployment(latency=table, batch=2, answer_tokens=4.0))
    row = next(
        r
        for r in rows
        if (r["params_b"], r["visual_tokens"], r["text_tokens"], r["batch"]) == ("2.0", "4", "6", "2")
    )
    expected = float(row["encoder_s"]) + float(row["prefill_s"]) + 3 * float(row["decode_s"])
    assert cost(2.0, 4.0, 6.0) == pytest.approx(1000 * expected)
    assert cost(1.5, 2.0, 3.0) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tokens", "5"], "average_pool cannot make 5 tokens of a 4 x 4 grid; choose from 1"),
        (["--tokens", "1", "--params-b", "3"], "has the sizes 1, 2; choose from these"),
    ],
)
def test_what_cannot_be_measured_is_refused_first(path, tmp_path, capsys, arguments, message):
    out = tmp_path / "latency.csv"
    assert main(["latency", "--shapes", str(path), "--out", str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "message"), [("", "it is a folder"), ("shapes.json/x.csv", "cannot be written")]
)
def test_a_table_that_cannot_be_written_is_refused_first(
    path, tmp_path, capsys, monkeypatch, name, message
):
    monkeypatch.setattr("paretoken.evaluate.latency_grid.measure_grid", None)
    out = tmp_path / name.replace("shapes.json", path.name)
    assert main(["latency", "--shapes", str(path), "--tokens", "1", "--out", str(out)]) == 2
    assert message in capsys.readouterr().err


def test_a_model_is_of_the_given_dimensions(shapes):
    llm = shapes.llms[1]
    model = build(shapes, llm, 4, CPU, torch.float32)
    assert sum(p.numel() for p in model.language_model.parameters()) == llm.parameters
    assert sum(p.numel() for p in model.vision_encoder.parameters()) == shapes.encoder.parameters()
    set_tokens(model, 1, CPU, torch.float32)
    features = torch.zeros(1, 2, 16, 16)
    assert model.visual_tokens(features=features).shape == (1, 1, llm.decoder.hidden)


def test_what_does_not_fit_leaves_empty_cells(shapes, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(latency_grid, "_answer", full)
    grid = Grid([1], [0, 6], [1], 1)
    rows = list(measure_grid(shapes, shapes.llms[0], grid, CPU, torch.float32))
    assert len(rows) == len(grid) == 2
    assert all("prefill_s" not in row for row in rows)


def test_joules_are_those_of_all_packages(tmp_path, monkeypatch):
    for name, used in (("intel-rapl:0", 3_000_000), ("intel-rapl:1", 4_000_000), ("intel-rapl:0:0", 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(str(used))
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    meter = energy.Meter.of(CPU)
    assert meter is not None
    assert meter.joules() == pytest.approx(7.0)
    monkeypatch.setattr(energy, "RAPL", tmp_path / "absent")
    assert energy.Meter.of(CPU) is None


class NVMLError(Exception):
    """The base of all that `pynvml` raises."""


@pytest.fixture
def nvml(monkeypatch):
    """Return a stand-in for `pynvml` on a machine with one GPU whose counter is at 5,250 mJ."""
    made = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID={"GPU-1234-ab": "handle"}.__getitem__,
        nvmlDeviceGetTotalEnergyConsumption={"handle": 5_250}.__getitem__,
    )
    monkeypatch.setitem(sys.modules, "pynvml", made)
    properties = SimpleNamespace(uuid="1234-ab")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    return made


def failing(*arguments):
    raise NVMLError


def test_joules_of_a_gpu_are_those_of_nvml(nvml, monkeypatch):
    meter = energy.Meter.of(GPU)
    assert meter is not None
    assert meter.source == "NVML"
    assert meter.joules() == pytest.approx(5.25)
    monkeypatch.setattr(nvml, "nvmlDeviceGetTotalEnergyConsumption", failing)
    assert meter.joules() != meter.joules()  # not a number: the other columns are measured to their end


@pytest.mark.parametrize(
    "call", ["nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetTotalEnergyConsumption"]
)
def test_a_gpu_without_a_driver_or_a_counter_has_no_meter(nvml, monkeypatch, call):
    monkeypatch.setattr(nvml, call, failing)
    assert energy.Meter.of(GPU) is None


def test_without_the_package_a_gpu_has_no_meter(nvml, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert energy.Meter.of(GPU) is None


def test_the_real_package_finds_no_driver_where_there_is_none():
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert energy.Meter.of(GPU) is None
    else:
        pytest.skip("this machine has a driver of NVIDIA's")
