"""The shipped studies with one thing changed, and results of them that were never measured."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.config import Config, parse
from paretoken.feasibility.examine import examine, problems_of
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.io.yaml_files import read_yaml
from paretoken.registry import CLAIMS, FIGURES, LAWS
from paretoken.study.grid import cells
from paretoken.study.published import PAPER_GRID

ROOT = Path(__file__).parents[1]
Raw = dict[str, Any]
Change = Callable[[Raw], Any]

#: Laws that are fitted fast with any loss.
QUICK = ["product_zero_d", "log_linear"]
SHIPPED = read_yaml(ROOT / "config.yaml")
STUDIES = [study["name"] for study in SHIPPED["studies"]]


def shipped() -> Raw:
    """Return the shipped config, as YAML made it, in records of its own."""
    return copy.deepcopy(SHIPPED)


def study_of(raw: Raw, name: str) -> Raw:
    """Return the raw record of a study."""
    found: Raw = next(study for study in raw["studies"] if study["name"] == name)
    return found


def data_of(raw: Raw, study: str) -> Raw:
    """Return the raw record of the data that a study trains on."""
    wanted = study_of(raw, study)["training"]["data"]
    found: Raw = next(data for data in raw["data"] if data["name"] == wanted)
    return found


def source_of(raw: Raw, study: str, name: str) -> tuple[str, Raw]:
    """Return the place and block of what makes a study's world, vision or (its first) llm."""
    record = study_of(raw, study)
    key, wanted, block = {
        "world": ("data", record["training"]["data"], "world"),
        "vision": ("vision", record["vision"], "make"),
        "llm": ("llms", record["llms"][0], "make"),
    }[name]
    index = [record["name"] for record in raw[key]].index(wanted)
    return f"{key}[{index}].{block}", raw[key][index][block]


def alone(name: str, change: Change | None = None, raw: Raw | None = None) -> Config:
    """Return a config of one study, changed: of the shipped config, or of another one."""
    raw = shipped() if raw is None else raw
    study = study_of(raw, name)
    if change is not None:
        change(study)
    return parse({**raw, "run": [name], "studies": [study]})


def found(config: Config, *kinds: Kind) -> list[Finding]:
    """Return the findings of some kinds; without any, the problems."""
    findings = examine(config)
    return [f for f in findings if f.kind in kinds] if kinds else problems_of(findings)


def lacking(findings: list[Finding]) -> set[str]:
    """Return the figures and claims that lack something."""
    named = {*FIGURES, *CLAIMS}
    keyed = [f for f in findings if f.place.endswith((".figures", ".claims"))]
    return {f.sentence.partition(" needs ")[0] for f in keyed} & named


def changes(study: Raw) -> Iterator[tuple[str, Change]]:
    """Yield a study's changes: every part taken away in turn, and everything else put in its place."""
    yield "as shipped", lambda s: None
    for index, suite in enumerate(study["suites"]):
        if len(study["suites"]) > 1:
            yield f"without suite {suite['name']}", lambda s, i=index: s["suites"].pop(i)
        yield f"suite {suite['name']} renamed", lambda s, i=index: s["suites"][i].update(name="other")
    for key in ("published", "holdout", "predict"):
        yield f"without {key}", lambda s, k=key: s.pop(k, None)
    yield "without table 1", lambda s: (s.get("published") or {}).pop("table1", None)
    for texts in ([0], [50]):
        yield f"text_tokens {texts}", lambda s, q=texts: s.update(text_tokens=q)
    for laws in ([], *([law] for law in LAWS)):
        yield f"laws {laws}", lambda s, names=laws: s.update(fit={**s["fit"], "laws": names})
    for loss in ("l1", "log_squared"):
        yield f"loss {loss}", lambda s, name=loss: s.update(fit={"laws": QUICK, "loss": name})
    for count in (1, 2, 3):
        yield f"{count} size(s)", lambda s, n=count: _sizes(s, n)
        yield f"{count} V", lambda s, n=count: _tokens(s, slice(n))
    yield "without V = 1", lambda s: _tokens(s, slice(1, None))


def _sizes(study: Raw, count: int) -> None:
    study["llms"] = study["llms"][:count]
    study.pop("holdout", None)
    if study.get("training"):
        study["training"]["blind"] = []


def _tokens(study: Raw, kept: slice) -> None:
    entries = [{**e, "tokens": sorted(e["tokens"])[kept]} for e in study["compressors"]]
    study["compressors"] = [entry for entry in entries if entry["tokens"]] or study["compressors"]


def everything(study: Raw) -> None:
    """Let a study ask for every figure and every claim."""
    study.update(figures=list(FIGURES), claims=list(CLAIMS))


def results_of(config: Config) -> StudyResults:
    """Return made-up results of the config's only study, fits included (without a bootstrap).

    The errors of measured cells are those of the table, others follow a law with noise.
    """
    frozen = config.freeze(config.studies[0].name)
    study, published = frozen.study, frozen.study.published
    errors = _errors(config)
    fits = {}
    for suite in study.suites:
        own = errors[(errors["suite"] == suite.name) & ~errors["llm"].isin(study.holdout)]
        rest = errors[(errors["suite"] == suite.name) & errors["llm"].isin(study.holdout)]
        held = tuple(frozen.params_b(llm) for llm in study.holdout)
        points = pd.concat([own, rest])[["params_b", "visual_tokens", "error"]].itertuples(index=False)
        key = tuple(tuple(map(float, point)) for point in points if point[1] > 0)
        for law in study.fit.laws:
            fits[suite.name, f"{law}-all"] = _fit(key, law, study.fit.loss, held)
        if published is not None and study.fit.laws:
            fits[suite.name, PAPER_GRID] = _fit(key, "product", study.fit.loss, held)
    return StudyResults(
        frozen=frozen,
        errors=errors,
        fits=fits,
        values=_table(published and published.values, ["suite", "quantity", "value", "source"]),
        table1=_table(
            published and published.table1, ["method", "visual_tokens", "benchmark", "score", "source"]
        ),
    )


def _errors(config: Config) -> pd.DataFrame:
    subject = Subject(config, 0)
    study, rng, rows = subject.study, np.random.default_rng(0), []
    for suite in study.suites:
        slope = (0.16, 0.03) if suite.role == "reasoning" else (0.05, 0.12)
        measured = {(p.llm, p.V): p for p in subject.points(suite.name)}
        for cell in cells(study):
            point, N = measured.get((cell.llm, cell.tokens)), subject.frozen.params_b(cell.llm)
            V = max(cell.tokens, 0.5)
            made = 0.3 * (N / 1e-4) ** -slope[0] * V ** -slope[1] + 0.05 + rng.normal(0, 0.004)
            known = point is not None and point.error is not None
            rows.append(
                {
                    "study": study.name,
                    "llm": cell.llm,
                    "params_b": N,
                    "compressor": cell.compressor,
                    "visual_tokens": cell.tokens,
                    "seed": cell.seed,
                    "suite": suite.name,
                    "error": point.error if known else made,
                    "stderr": np.nan if known else 0.004,
                    "source": "made up",
                    "flag": "",
                }
            )
    return pd.DataFrame(rows)


@cache
def _fit(
    points: tuple[tuple[float, ...], ...], law: str, loss: str, held: tuple[float, ...]
) -> FittedLaw:
    N, V, Y = (np.array(axis) for axis in zip(*points, strict=True))
    data = CellData(Cells(N, V, Y, np.ones(len(Y))), {"path": "", "sha256": "", "exclusions": []}, [])
    options = FitOptions(law=law, loss=loss, bootstrap=0, held_out=held)
    with np.errstate(all="ignore"):  # a line in ln N may turn negative, which a logarithmic loss refuses
        return FittedLaw.from_record(fit_record(data, options))


def _table(path: str | None, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=columns) if path is None else pd.read_csv(ROOT / path)
