"""The results of a study, read once: the input of its figures, claims and summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.config.settings import checked
from paretoken.config.study import FrozenStudy, Study, Suite
from paretoken.costs.models.base import Cost
from paretoken.costs.models.paper import PAPER_COST
from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.study.contract import ERROR_COLUMNS, ERROR_KEY
from paretoken.study.published import TABLE1, VALUES, read_table1, read_values
from paretoken.study.table_files import flags, read_table, require_unique

#: The table of the paper's own cells, as configs name it.
PAPER_CELLS = "workflow/reference/published_errors.csv"


@dataclass(frozen=True)
class StudyResults:
    """A study's settings, cells and fits, and the published numbers it is compared with.

    Attributes:
        frozen: the study and the records that it refers to.
        errors: tables/errors.csv.
        fits: by suite and variant; a variant is ``<law>-all``, ``<law>-unflagged`` or `PAPER_GRID`.
        values: published parameters and statements; empty if the study has none.
        table1: the paper's Table 1; empty if the study has none.
        cost: the cost of an answer in figures.
    """

    frozen: FrozenStudy
    errors: pd.DataFrame
    fits: Mapping[tuple[str, str], FittedLaw]
    values: pd.DataFrame
    table1: pd.DataFrame
    cost: Cost = PAPER_COST

    @property
    def study(self) -> Study:
        """The study's settings."""
        return self.frozen.study

    @property
    def measured_by_the_paper(self) -> bool:
        """Whether the cells are the averages that the paper's authors published."""
        return self.study.published is not None and self.study.measured == PAPER_CELLS

    def suites(self, role: str) -> list[Suite]:
        """Return the suites with a role (``reasoning``, ``ocr`` or ``control``)."""
        return [suite for suite in self.study.suites if suite.role == role]

    def suite(self, role: str) -> Suite | None:
        """Return the first suite with a role, if there is one."""
        return next(iter(self.suites(role)), None)

    def headline(self, suite: str) -> FittedLaw:
        """Return the fit of the study's first law to all cells of ``suite``.

        Raises:
            UserError: the study has no laws, or the fit was not given.
        """
        if not self.study.fit.laws:
            raise UserError(
                f"study {self.study.name} compares methods and fits no law (fit: laws: []), but this "
                "figure or claim needs one: name a law, or remove the figure or claim"
            )
        return self.fit(suite, f"{self.study.fit.laws[0]}-all")

    def fit(self, suite: str, variant: str) -> FittedLaw:
        """Return one fit (`UserError` if it was not given)."""
        if (suite, variant) not in self.fits:
            raise UserError(f"the fit {suite}/{variant}.json is needed but was not given")
        return self.fits[suite, variant]

    def cells(self, suite: str) -> pd.DataFrame:
        """Return the measured cells of one suite: no missing errors, V > 0; by size, then tokens."""
        rows = self.errors[(self.errors["suite"] == suite) & self.errors["error"].notna()]
        rows = rows[rows["visual_tokens"] > 0]
        return rows.sort_values(["params_b", "visual_tokens", "seed"]).reset_index(drop=True)

    def fitted_cells(self, suite: str) -> pd.DataFrame:
        """Return the cells of one suite that are fitted: without the sizes held out."""
        rows = self.cells(suite)
        return rows[~rows["llm"].isin(self.study.holdout)].reset_index(drop=True)

    def inferred(self, suite: str, quantity: str) -> bool:
        """Return whether a published number was not printed, but inferred from printed ones."""
        if self.values.empty or "flag" not in self.values:
            return False
        rows = self.values
        found = rows[(rows["suite"] == suite) & (rows["quantity"] == quantity)]["flag"]
        return bool((found == "inferred").any())

    def value(self, suite: str, quantity: str) -> float | None:
        """Return a published number, or None if there is none."""
        rows = self.values
        if rows.empty:
            return None
        found = rows[(rows["suite"] == suite) & (rows["quantity"] == quantity)]["value"]
        return None if found.empty else float(found.iloc[0])


def read_results(
    study: Path,
    errors: Path,
    fits: Sequence[Path] = (),
    values: Path | None = None,
    table1: Path | None = None,
) -> StudyResults:
    """Read a study's files; ``fits`` are paths that end in ``<suite>/<variant>.json``.

    Raises:
        UserError: a file is missing or malformed, or a table has a duplicate key.
    """
    cells = read_table(errors, ERROR_COLUMNS)
    require_unique(cells, ERROR_KEY, str(errors))
    return StudyResults(
        frozen=read_study(study),
        errors=cells.assign(flag=flags(cells)),
        fits={(path.parent.name, path.stem): FittedLaw.read(path, whole=True) for path in fits},
        values=_published(values, VALUES, "value", read_values),
        table1=_published(table1, TABLE1, "score", read_table1),
    )


def read_study(path: Path) -> FrozenStudy:
    """Read ``study.json`` (`UserError` if it is not one)."""
    complaint = f"{path} is not a study of this version; make it with `paretoken study`"
    return checked(read_json(path), FrozenStudy, complaint)


def study_of(fit: Path) -> FrozenStudy | None:
    """Return the study whose folder holds a fit (results/STUDY/fits/SUITE/LAW.json), if there is one."""
    folder = fit.resolve().parent.parent
    path = folder.parent / "study.json"
    return read_study(path) if folder.name == "fits" and path.is_file() else None


def _published(
    path: Path | None, columns: Sequence[str], number: str, check: Callable[[Path], object]
) -> pd.DataFrame:
    """Return a published table without the rows whose number is missing."""
    if path is None:
        return pd.DataFrame(columns=list(columns))
    check(path)
    table = read_table(path, columns)
    return table[table[number].notna()].reset_index(drop=True)
