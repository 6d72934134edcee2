"""One hostile text in every field that a file fills, and a look at everything that is written."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from pydantic import ValidationError

from hostile_text import HOSTILE, replaced, text_places
from paretoken.analysis.claims.ledger import page as claims_page
from paretoken.analysis.methods import comparisons
from paretoken.analysis.study_results import read_results
from paretoken.cli import main
from paretoken.config.config import Config, parse
from paretoken.config.study import FrozenStudy
from paretoken.errors import UserError
from paretoken.figures.base import save
from paretoken.io.escape import html, message, one_line
from paretoken.io.text_tables import latex_table
from paretoken.io.yaml_files import read_yaml
from paretoken.registry import FIGURES
from paretoken.report.methods_table import methods_page, wide
from paretoken.report.summary import summary
from paretoken.study.table_files import read_table, write_table
from report_study import Finished, copied, embedded, finished_study, latency_table

ROOT = Path(__file__).parents[3]
SENSITIVITY = {"suite": "scenes", "alpha_over_beta": 2.0}
CLAIM = {"claim": "c", "statement": "s", "where": "w", "computed": "x", "claimed": "r",
         "value": 4.7, "low": 3.9, "high": 5.0, "verdict": "holds", "because": "b"}  # fmt: skip
RUN = {"device": {"gpus": ["GPU"], "processes": 1, "machine": "m"}, "wall_s": 1.0, "training_flops": 1.0,
       "git": {"commit": "c"}, "versions": {"torch": "2"}}  # fmt: skip
#: The pages take seconds, so that each study is filled with several of the texts at once.
TOGETHER = {
    "markup": ("script", "template"),
    "lines": ("image", "line"),
    "formulas": ("cell", "formula"),
    "unseen": ("terminal", "direction", "nul"),
}
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069]")


class Structure(HTMLParser):
    """Elements with their attributes' names, and every text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def filled(finished: Finished, root: Path, text: str) -> Finished:
    """Return a copy of a finished study with a text wherever a file may hold one."""
    study = copied(finished, root)
    folder = study.folder
    path = folder / "study.json"
    raw = json.loads(path.read_text())
    raw["study"]["published"] = {"values": "v.csv", "table1": None, "dimensions": None}
    taken = []
    for place in list(text_places(FrozenStudy, raw)):
        changed = replaced(raw, place, text)
        try:
            FrozenStudy.model_validate(changed)
        except ValidationError:
            continue
        raw, taken = changed, [*taken, place]
    assert {("study", "question"), ("study", "suites", 0, "title"), ("study", "latency"),
            ("study", "published", "table1"), ("study", "measured")} <= set(taken)  # fmt: skip
    path.write_text(json.dumps(raw))
    errors = read_table(folder / "tables/errors.csv", [])
    flags = errors["flag"].notna()
    errors["source"], errors["flag"] = text, errors["flag"].where(~flags, text)
    write_table(folder / "tables/errors.csv", errors)
    claim = {key: text if isinstance(value, str) else value for key, value in CLAIM.items()}
    write_table(folder / "tables/claims.csv", pd.DataFrame([claim, CLAIM]))
    for fit in folder.glob("fits/*/*.json"):
        record = json.loads(fit.read_text())
        record |= {"formula": text, "status": text, "loss": text, "warnings": [text], "cautions": [text]}
        fit.write_text(json.dumps(record))
    stage = folder / "runs" / "small" / "tokenpacker-1" / "s0" / "pretrain" / "run.json"
    stage.parent.mkdir(parents=True)
    stage.write_text(json.dumps(_everywhere(RUN, text)))
    table = pd.read_csv(latency_table(root / "latency.csv")).assign(device=text)
    write_table(root / "latency.csv", table)
    (folder / "figures").mkdir()
    (folder / "figures" / "fig1b.png").write_bytes(b"\x89PNG")
    return study


def _everywhere(record: Any, text: str) -> Any:
    if isinstance(record, dict):
        return {key: _everywhere(value, text) for key, value in record.items()}
    if isinstance(record, list):
        return [_everywhere(value, text) for value in record]
    return text if isinstance(record, str) else record


def written(study: Finished) -> dict[str, str]:
    """Return the pages that are made of a study, by name."""
    folder = study.folder
    assert study.report(
        "--latency", study.root / "latency.csv", "--price-per-hour", "2", "--figure-files",
        folder / "figures/fig1b.png", "--cells", folder / "runs/small/tokenpacker-1/s0",
    ) == 0  # fmt: skip
    results = read_results(
        folder / "study.json", folder / "tables/errors.csv", sorted(folder.glob("fits/*/*.json"))
    )
    claims = read_table(folder / "tables/claims.csv", [])
    text = str(results.errors["source"].iloc[0])
    sensitivity = pd.DataFrame(
        [{**SENSITIVITY, "variant": name} for name in (text, text, "as fitted")]
    ).assign(alpha_over_beta=[1.0, 2.0, 1.5])
    pairs = read_table(folder / "tables/equal_cost.csv", [], may_be_empty=True)
    scores = pd.DataFrame(
        [{"llm": "small", "compressor": "tokenpacker", "visual_tokens": 1, "benchmark": text,
          "out_of": 100.0, "score": 50.0, "low": 40.0, "high": 60.0, "published": 51.0,
          "metric": text, "not_compared": text}]
    )  # fmt: skip
    table, compared = wide(results, scores), comparisons(results)
    return {
        "report.html": study.page,
        "summary.md": summary(results, pairs, sensitivity, claims, ["fig1b"], "commit"),
        "claims.md": claims_page(claims, "demo"),
        "methods.md": methods_page(results, table, compared, scores),
        "methods.tex": latex_table(table),
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_study(tmp_path_factory.mktemp("finished"), laws=["product"], bootstrap=5)


@pytest.fixture(scope="module")
def plain(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages of a study with harmless texts."""
    return written(filled(finished, tmp_path_factory.mktemp("plain"), "Word"))


@pytest.fixture(scope="module", params=TOGETHER)
def hostile(
    finished: Finished, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    text = " ".join(HOSTILE[kind] for kind in TOGETHER[request.param])
    study = filled(finished, tmp_path_factory.mktemp("hostile"), text)
    return text, study, written(study)


def test_no_kind_of_text_is_left_out() -> None:
    assert {kind for kinds in TOGETHER.values() for kind in kinds} == {*HOSTILE}


@pytest.mark.slow
def test_every_page_has_the_elements_of_a_harmless_one(hostile: Any, plain: dict[str, str]) -> None:
    text, _, pages = hostile
    found, expected = Structure(pages["report.html"]), Structure(plain["report.html"])
    assert found.elements == expected.elements
    assert html(text) in "".join(found.texts)
    shown = one_line(text)
    for name in ("summary.md", "claims.md", "methods.md"):
        ours, theirs = (RENDERER.render(each[name]) for each in (pages, plain))
        assert re.findall(r"<[^>]*>", ours) == re.findall(r"<[^>]*>", theirs), name
        said = "".join(Structure(ours).texts)
        assert said.count(shown) >= "".join(Structure(theirs).texts).count("Word") > 0, name
    commands = set(re.findall(r"\\[a-zA-Z]+", pages["methods.tex"]))
    assert {word for word in commands if not word.startswith(r"\text")} == {
        r"\begin", r"\end", r"\toprule", r"\midrule", r"\bottomrule", r"\pm"}  # fmt: skip
    for name, page in pages.items():
        assert not UNSEEN.search(page), name


@pytest.mark.slow
def test_the_explorer_holds_the_text_itself(hostile: Any) -> None:
    text, _, pages = hostile
    data = embedded(pages["report.html"], "explorer-data")
    assert {suite["title"] for suite in data["suites"]} == {text}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fig1b", "profile", "residuals", "optimum_by_cost"])
def test_figures_are_drawn(hostile: Any, name: str, tmp_path: Path) -> None:
    _, study, _ = hostile
    folder = study.folder
    results = read_results(
        folder / "study.json", folder / "tables/errors.csv", sorted(folder.glob("fits/*/*.json"))
    )
    save(FIGURES.load(name), results, [tmp_path / "f.svg"])
    assert "<script" not in (tmp_path / "f.svg").read_text()


@pytest.mark.slow
def test_tables_hold_no_formulas(hostile: Any) -> None:
    text, study, _ = hostile
    paths = list(study.folder.rglob("*.csv"))
    assert len(paths) >= 3
    for path in paths:
        with path.open(newline="", encoding="utf-8") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        assert not [cell for cell in cells if re.match(r"\s*([=+@]|-(?![\d.]))", cell)], path
    source = read_table(study.folder / "tables/errors.csv", [])["source"].iloc[0]
    if not UNSEEN.search(text.replace("\r", "")):
        assert source == text.replace("\r\n", "\n")


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_command_line_prints_only_text(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of files whose content or name is hostile, and the status page's last lines of logs."""
    text = HOSTILE[kind]
    monkeypatch.chdir(tmp_path)
    quoted = text.replace('"', "")
    files = {
        "fit.json": json.dumps({"law": text}),
        "table.csv": f'n,v,"{quoted}"\n1,2,3\n',
        "config.yaml": json.dumps({"run": [text], "studies": [{"name": text}], text: 1}),
        "broken.json": text,
        "manifest.json": json.dumps({text: text}),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    lines = [
        ["recommend", "--fit", "fit.json", "--budget", "1", "--text-tokens", "1"],
        ["recommend", "--fit", "broken.json", "--budget", "1", "--text-tokens", "1"],
        ["fit", "table.csv", "--out", "o.json"],
        ["check", "--config", "config.yaml"],
        ["status", "--study", text.replace("\0", ""), "--config", "config.yaml"],
        ["data", "--manifest", "manifest.json", "--data-set", text, "--root", ".", "--check"],
        [text],
        ["report", "--study-file", text, "--errors", text, "--claims", text, "--out", text],
    ]
    for line in lines:
        try:
            assert main(line) == 2, line
        except (SystemExit, ValueError):  # argparse; a NUL in a path that was typed
            continue
        said = _said(capsys)
        assert said
        assert not UNSEEN.search(said), line


@pytest.mark.parametrize("kind", HOSTILE)
def test_status_shows_the_last_lines_of_logs_as_text(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    raw = read_yaml(ROOT / "config.yaml")
    (tmp_path / "config.yaml").write_text(json.dumps(raw))
    name = next(study["name"] for study in raw["studies"] if study.get("measured"))
    first = next(study for study in raw["studies"] if study["name"] == name)
    cell = f"{first['llms'][0]}/{first['compressors'][0]['name']}-{first['compressors'][0]['tokens'][0]}"
    log = tmp_path / "results" / name / "runs" / cell / "s0" / "logs" / "cell.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"{HOSTILE[kind]}\nparetoken cell: hf_abcdefghijklmnop {HOSTILE[kind]}\n")
    for how in ("text", "json"):
        assert main(["status", "--study", name, "--quiet-minutes", "10", "--format", how]) == 0
        said = _said(capsys)
        assert "failed" in said
        assert not UNSEEN.search(said)
        assert "hf_abcdefghijklmnop" not in said


def _patterns(raw: dict[str, Any]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return one place of each kind: list numbers do not matter."""
    return {
        tuple("*" if isinstance(part, int) else part for part in place): place
        for place in text_places(Config, raw)
    }


@pytest.mark.slow
def test_every_text_of_the_config_is_shown_as_text() -> None:
    """Each field that takes text, found by the models: new ones are covered by themselves."""
    raw = read_yaml(ROOT / "config.yaml")
    benchmark = {"name": "ocr_x", "harness": "lmms_eval", "include": "x", "allow_code": True, "count": 9}
    downloaded = {data["name"] for data in raw["data"] if "manifest" in data}
    trained = next(s for s in raw["studies"] if (s.get("training") or {}).get("data") in downloaded)
    trained["training"]["benchmarks"] = [benchmark]
    places = _patterns(raw)
    assert len(places) > 40
    for place in places.values():
        for text in ("".join(HOSTILE.values()), "x" * 10**6, ["a", ["b" * 10**6]] * 50):
            try:
                parse(replaced(raw, place, text))
            except UserError as error:
                said = message(error)
                assert not UNSEEN.search(said), place
                assert len(said) < 20_000, place
