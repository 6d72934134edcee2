"""A finished study in a folder, as the workflow leaves it: all that `paretoken report` is given."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.cells import Selection, read_cells
from paretoken.analysis.equal_cost import comparisons
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.study_results import read_results
from paretoken.cli import main
from paretoken.config.study import FrozenStudy
from paretoken.io.files import write_json
from paretoken.study.contract import LATENCY_COLUMNS
from paretoken.study.table_files import write_table

SIZES = {"small": 0.5, "middle": 1.8, "large": 4.0, "largest": 7.0}
TOKENS = (1, 4, 16, 36, 64, 144, 576)
SUITES = (
    {"name": "scenes", "title": "Scenes", "role": "reasoning"},
    {"name": "digits", "title": "OCR of digits", "role": "ocr"},
)
#: K, D, alpha, beta of each suite.
TRUTH = {"scenes": (0.56, 0.03, 0.075, 0.016), "digits": (0.6, 0.2, 0.05, 0.09)}
QUESTION = "Larger models or more tokens?"


@dataclass(frozen=True)
class Finished:
    """The study's folder; its parent's parent is where commands run."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder.parents[1]

    @property
    def page(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")

    def report(self, *extra: Path | str) -> int:
        """Run `paretoken report`, and return its exit code."""
        folder = self.folder
        arguments = [
            "report", "--study-file", folder / "study.json", "--errors", folder / "tables/errors.csv",
            "--fits", *sorted(folder.glob("fits/*/*.json")), "--claims", folder / "tables/claims.csv",
            "--shapes", folder / "shapes.json", *extra, "--out", folder / "report.html",
        ]  # fmt: skip
        pairs = folder / "tables/equal_cost.csv"
        arguments += ["--equal-cost", pairs] if pairs.exists() else []
        return main([str(word) for word in arguments])


def copied(study: Finished, root: Path) -> Finished:
    """Return a copy of a study, which may be changed, under another root."""
    shutil.copytree(study.root, root, dirs_exist_ok=True)
    return Finished(root / study.folder.relative_to(study.root))


def finished_study(
    root: Path,
    suites: Sequence[dict[str, str]] = SUITES,
    laws: Sequence[str] = ("product", "additive", "product_q_plus_v"),
    bootstrap: int = 20,
    flag: str = "power cut",
    claims: Sequence[dict[str, Any]] = (),
    **changes: Any,
) -> Finished:
    """Write a measured study's files under ``root/results/demo``."""
    folder = root / "results" / "demo"
    settings: dict[str, Any] = {
        "name": "demo", "question": QUESTION, "measured": "measured.csv", "vision": "eye",
        "llms": list(SIZES), "compressors": [{"name": "tokenpacker", "tokens": list(TOKENS)}],
        "suites": list(suites), "text_tokens": [0, 25, 50, 100],
        "fit": {"laws": list(laws), "bootstrap": bootstrap},
    }  # fmt: skip
    llms = [{"name": name, "params_b": n} for name, n in SIZES.items()]
    frozen = FrozenStudy.model_validate(
        {"study": settings | changes, "llms": llms, "vision": {"name": "eye", "grid": 24}}
    )
    write_json(folder / "study.json", frozen.model_dump(mode="json"))
    errors = _errors([suite["name"] for suite in suites], flag)
    write_table(folder / "tables" / "errors.csv", errors)
    columns = ["claim", "statement", "where", "computed", "value", "low", "high", "verdict", "because"]
    write_table(folder / "tables" / "claims.csv", pd.DataFrame(list(claims), columns=columns))
    for suite, law, rows in product(suites, laws, ("all", "unflagged")):
        if law == "additive" and rows == "unflagged":
            continue  # a fit that a suite lacks
        selection = Selection(suite=suite["name"], exclude_flagged=rows == "unflagged")
        data = read_cells(folder / "tables" / "errors.csv", selection)
        options = FitOptions(
            law=law, bootstrap=bootstrap, text_tokens=(0, 25, 50, 100), law_text_tokens=50
        )
        write_json(folder / "fits" / suite["name"] / f"{law}-{rows}.json", fit_record(data, options))
    fits = sorted(folder.glob("fits/*/*.json"))
    results = read_results(folder / "study.json", folder / "tables/errors.csv", fits)
    if laws:
        write_table(folder / "tables" / "equal_cost.csv", comparisons(results))
    shapes = ["shapes", "--params-b", *map(str, SIZES.values()), "--out", str(folder / "shapes.json")]
    assert main(shapes) == 0
    return Finished(folder)


def _errors(suites: Sequence[str], flag: str) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = []
    for suite, (llm, n), v in product(suites, SIZES.items(), TOKENS):
        K, D, alpha, beta = TRUTH.get(suite, TRUTH["scenes"])
        error = K * n**-alpha * v**-beta + D + generator.normal(0, 0.003)
        rows.append(
            {"study": "demo", "llm": llm, "params_b": n, "compressor": "tokenpacker",
             "visual_tokens": v, "seed": 0, "suite": suite, "error": error, "stderr": np.nan,
             "source": "made up", "flag": flag if (llm, v) == ("small", 4) else ""}
        )  # fmt: skip
    return pd.DataFrame(rows)


def latency_table(path: Path) -> Path:
    """Write a table of `paretoken latency` with seconds that were never measured."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, LATENCY_COLUMNS, restval="")
        writer.writeheader()
        for (llm, n), v, q in product(SIZES.items(), TOKENS, (0, 50, 120)):
            writer.writerow(
                {"llm": llm, "params_b": n, "visual_tokens": v, "text_tokens": q, "batch": 1,
                 "encoder_s": 0.006, "prefill_s": 0.004 + 0.003 * n + 2e-5 * n * (v + q),
                 "decode_s": 0.002 + 0.002 * n, "repeats": 1, "device": "Abacus 9", "dtype": "bf16"}
            )  # fmt: skip
    return path


def embedded(page: str, name: str) -> Any:
    """Return the JSON that a page holds in the script element of an id."""
    start = page.index(f'id="{name}">') + len(f'id="{name}">')
    return json.loads(page[start : page.index("</script>", start)])
