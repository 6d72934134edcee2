"""Rules on tables that a study names: measured errors, published numbers, dimensions, latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from paretoken.config.runs import PREFIX
from paretoken.costs.dimension_table import read_dimensions
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject, path_of
from paretoken.feasibility.recipes import one_line
from paretoken.io.text_tables import counted
from paretoken.plan.from_config import dimensions_file
from paretoken.study.grid import cells
from paretoken.study.measured import suite_errors, table_problems
from paretoken.study.published import read_table1, read_values
from paretoken.study.recorded import record_folder, require_cells

#: The largest number of problems of a table that are listed, since it can lack every cell of a grid.
MOST_LISTED = 5


def measured_table_is_whole(subject: Subject) -> Iterator[Finding]:
    """Find cells and suites for which the measured table has no row, several, or an invalid one."""
    study = subject.study
    if study.measured is None:
        return
    path, sizes = path_of(study.measured), {llm.name: llm.params_b for llm in subject.frozen.llms}
    suites = [suite.name for suite in study.suites]
    try:
        problems = table_problems(path, study.name, cells(study), sizes, suites)
    except UserError as error:
        problems = [str(error)]
    for problem in problems[:MOST_LISTED]:
        yield subject.finding("measured", problem, Kind.FILE)
    if len(problems) > MOST_LISTED:
        rest = len(problems) - MOST_LISTED
        more = f"{counted(rest, 'more cell')} of {path} {'has' if rest == 1 else 'have'} such a problem"
        yield subject.finding("measured", more, Kind.FILE)


def errors_are_shares(subject: Subject) -> Iterator[Finding]:
    """Warn of suites whose measured errors are all above 1, which may be percentages or losses."""
    study = subject.study
    try:
        rows = subject.measured_rows
    except UserError:  # the rule on the table reports it
        return
    suites = [suite.name for suite in study.suites]
    for suite, errors in suite_errors(rows or [], cells(study), suites).items():
        known = [error for error in errors if error > 0]
        if known and min(known) > 1:
            yield subject.finding(
                "measured",
                f"the errors of suite {suite} are {min(known):g} to {max(known):g}, all above 1, and "
                "are used unchanged: this is right for a loss; divide percentages by 100 (alternative "
                "scores are read as 1 - error, and the paper's grid search is for shares of 0 to 1)",
                Kind.WARNING,
            )


def recorded_tables_are_whole(subject: Subject) -> Iterator[Finding]:
    """Find a study that is to be analysed from its recorded tables, and has none, or of other cells."""
    name, suites = subject.study.name, [suite.name for suite in subject.study.suites]
    if PREFIX + name not in subject.config.run:
        return
    try:
        require_cells(record_folder(name), name, cells(subject.study), suites)
    except UserError as error:
        yield Finding(PREFIX + name, "run", one_line(error), Kind.FILE)


def published_tables_can_be_read(subject: Subject) -> Iterator[Finding]:
    """Find published tables that the jobs that read them would reject."""
    published, readers = subject.study.published, {"values": read_values, "table1": read_table1}
    for key, reader in readers.items() if published is not None else ():
        name = getattr(published, key)
        if name is not None:
            yield from _unreadable(subject, f"published.{key}", path_of(name), reader)
    named = published is not None and published.dimensions is not None
    path = dimensions_file(subject.study)
    if named or (path.exists() and not subject.generated):
        yield from _unreadable(subject, "published.dimensions", path_of(str(path)), read_dimensions)


def latency_and_price(subject: Subject) -> Iterator[Finding]:
    """Find a price without a table of latency, and a table of latency that cannot be used."""
    study = subject.study
    own = subject.generated  # it measures its own latency
    if study.price_per_hour is not None and study.latency is None and not own:
        yield subject.finding(
            "price_per_hour",
            "has no meaning without latency:; name a table of `paretoken latency` there, "
            "or take price_per_hour out",
        )
    if study.latency is not None:
        yield from _unreadable(subject, "latency", path_of(study.latency), _require_latency)


def _require_latency(path: Path) -> None:
    """Raise unless a table of latency can be used by jobs, which need one question at a time."""
    from paretoken.costs.models.latency_table import read_latency  # imports pandas and scipy

    table = read_latency(path)
    if 1 not in table.axes:
        raise UserError(
            f"{path} has no measurement of one question at a time, which studies need (it has batches "
            f"of {', '.join(map(str, table.axes))}); measure with `paretoken latency --batch 1`"
        )


def _unreadable(
    subject: Subject, key: str, path: Path, reader: Callable[[Path], object]
) -> Iterator[Finding]:
    try:
        reader(path)
    except UserError as error:
        yield subject.finding(key, one_line(error), Kind.FILE)


def published_numbers(subject: Subject) -> dict[tuple[str, str], float] | None:
    """Return the published values by suite and quantity; None if their table is unreadable."""
    published = subject.study.published
    if published is None:
        return {}
    try:
        return read_values(path_of(published.values))
    except UserError:
        return None


def table1_rows(subject: Subject) -> set[tuple[str, int, str]] | None:
    """Return method, visual tokens and benchmark of the published Table 1; None if it is unreadable."""
    published = subject.study.published
    if published is None or published.table1 is None:
        return None
    try:
        return set(read_table1(path_of(published.table1)))
    except UserError:
        return None
