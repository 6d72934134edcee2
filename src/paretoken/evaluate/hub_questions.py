"""Writing the questions of a hub data set: one Parquet file, and the pictures as files beside it.

Data are read and written in batches, as VQAv2's validation split has 214,354 rows with a picture each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from paretoken.data.columnar import parquet_batches, require_parquet, rows_of
from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row
from paretoken.evaluate.gathering_writer import GatheringWriter
from paretoken.evaluate.hub_files import shards
from paretoken.evaluate.ids import ROW_ID
from paretoken.evaluate.image_folder import ImageFolder
from paretoken.evaluate.questions import PROMPT
from paretoken.evaluate.scorable import ScoreCheck
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted

QUESTIONS, IMAGES = "questions.parquet", "images"
#: Number of rows, with their pictures, in memory at a time.
BATCH = 32
#: Most bad rows that a message lists.
SHOWN = 50


@dataclass(frozen=True)
class Written:
    """Counts of what `write_questions` wrote, and its input files (name and bytes).

    ``cut`` is the number of rows within the limit that were left out because other rows of their
    question are beyond it.
    """

    questions: int
    text_only: int
    images: int
    files: list[tuple[str, int]]
    cut: int = 0


def splits_of(hub: HubData) -> list[tuple[str, str]]:
    """Return the pairs of config and split that a benchmark reads."""
    join = [] if hub.join is None else [(hub.join.config, hub.join.split)]
    return [(hub.config, hub.split), *join]


def require_data_set(benchmark: Benchmark, root: Path) -> None:
    """Require that a local directory holds the files and columns of a benchmark's data set.

    Raises:
        UserError: files or columns are missing; the message names them.
    """
    hub = benchmark.hub
    if hub is None:
        return
    for file in shards(root, hub.config, hub.split):
        require_parquet(file, _columns(benchmark, hub))
    if hub.join is not None:
        for file in shards(root, hub.join.config, hub.join.split):
            require_parquet(file, (hub.join.id, hub.join.column))


def _columns(benchmark: Benchmark, hub: HubData) -> tuple[str, ...]:
    """Return the columns that the files of the questions must have."""
    return (*hub.columns, *benchmark.columns, *hub.images)


def write_questions(folder: Path, benchmark: Benchmark, root: Path, limit: int | None = None) -> Written:
    """Write ``questions.parquet`` and ``images/`` into a folder.

    The table has the data set's own columns without pictures, and before them ``_id`` (the row's index
    from 0), ``image`` (a file name, or a list of them if questions can show several) and ``prompt``.

    Args:
        folder: folder to write to; it must exist.
        benchmark: a benchmark with a hub data set.
        root: the data set's directory.
        limit: most rows to write, from the first one; if several rows are one question, only complete
            questions are written. None: all rows.

    Raises:
        UserError: files, columns or pictures are missing or damaged, rows have no question, or their
            answers cannot be scored; the message names the files and rows.
    """
    hub = benchmark.hub
    if hub is None or benchmark.prompt is None:
        raise UserError(f"{benchmark.name} has no data set on the hub")
    (folder / IMAGES).mkdir()
    store = ImageFolder(folder / IMAGES, root)
    files = shards(root, hub.config, hub.split)
    cut = _cut(benchmark, hub, files, limit)
    limit = None if limit is None else limit - cut
    joined = _joined(hub, root, store, _keys(hub, files, limit))
    check = ScoreCheck(benchmark)
    count = text_only = 0
    problems: list[str] = []
    try:
        with GatheringWriter(folder / QUESTIONS) as writer:
            for file, batch in _batches(files, _columns(benchmark, hub), limit):
                table = _asked(check, hub, store, joined, batch, file, count, problems)
                count += len(batch)
                if table is not None:
                    writer.add(table)
                    text_only += sum(not each for each in table["image"].to_pylist())
    except (pa.ArrowException, ValueError) as error:
        raise UserError(f"{root}: the files of {hub.split} have different columns: {error}") from error
    _raise_all(problems)
    if count == 0:
        raise UserError(f"{files[0]} holds no rows")
    check.together()
    sizes = [(str(file.relative_to(root)), file.stat().st_size) for file in files]
    return Written(count, text_only, len(store.names), sizes, cut)


def _asked(
    check: ScoreCheck,
    hub: HubData,
    store: ImageFolder,
    joined: Mapping[str, str],
    batch: pa.RecordBatch,
    file: Path,
    start: int,
    problems: list[str],
) -> pa.Table | None:
    """Return the questions of a batch; if rows are bad, add to ``problems`` and return None."""
    benchmark = check.benchmark
    prompts: list[str] = []
    pictures: list[list[str]] = []
    for number, row in enumerate(rows_of(batch, file), start=start):
        try:
            prompts.append(benchmark.prompt(row) if benchmark.prompt else "")
            check.row(number, row)
            pictures.append(_pictures(benchmark, hub, store, joined, row))
        except BadRowError as error:
            problems.append(f"{file}: row {number}: {error}")
    if problems:
        return None
    taken = {*hub.images, "image", PROMPT, ROW_ID}
    own = pa.Table.from_batches([batch]).replace_schema_metadata(None)
    own = own.select([name for name in own.column_names if name not in taken])
    several = len(hub.images) > 1
    images = pictures if several else [each[0] if each else None for each in pictures]
    columns = {
        ROW_ID: pa.array([str(number) for number in range(start, start + len(own))], pa.string()),
        "image": pa.array(images, pa.list_(pa.string()) if several else pa.string()),
        PROMPT: pa.array(prompts, pa.string()),
    }
    return pa.table({**columns, **{name: own[name] for name in own.column_names}})


def _pictures(
    benchmark: Benchmark, hub: HubData, store: ImageFolder, joined: Mapping[str, str], row: Row
) -> list[str]:
    if hub.join is not None:
        key = str(row[hub.join.key])
        if key not in joined:
            raise BadRowError(f"its image {key} is not in config {hub.join.config}")
        return [joined[key]]
    if benchmark.shown is not None:  # all pictures that the prompt names are required
        return [store.add(row.get(column)) for column in benchmark.shown(row)]
    found = [store.add(row[column]) for column in hub.images if row[column] is not None]
    if not found and not hub.text_only:
        raise BadRowError(f"it has no picture (its {', '.join(hub.images)} is null)")
    return found


def _raise_all(problems: Sequence[str]) -> None:
    """Raise `UserError` with the first `SHOWN` problems if there are any."""
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems[:SHOWN])
        more = len(problems) - SHOWN
        rest = f"\n  - and {more:,} more" if more > 0 else ""
        raise UserError(
            f"{counted(len(problems), 'row is', 'rows are', ',')} unusable; fetch the files again, "
            f"or use another copy of the data set:\n{listed}{rest}"
        )


def _cut(benchmark: Benchmark, hub: HubData, files: Sequence[Path], limit: int | None) -> int:
    """Return how many rows within the limit belong to questions with rows beyond it."""
    if limit is None or benchmark.whole is None:
        return 0
    parts = _batches(files, (*benchmark.columns, *hub.columns), limit, only_these=True)
    rows = [row for file, batch in parts for row in rows_of(batch, file)]
    try:
        return len(rows) - benchmark.whole(rows)
    except BadRowError:  # it is reported later, with all other bad rows
        return 0


def _keys(hub: HubData, files: Sequence[Path], limit: int | None) -> set[str]:
    """Return the keys of the joined pictures that the questions need."""
    if hub.join is None:
        return set()
    parts = _batches(files, (hub.join.key,), limit, only_these=True)
    return {str(row[hub.join.key]) for file, batch in parts for row in rows_of(batch, file)}


def _joined(hub: HubData, root: Path, store: ImageFolder, keys: set[str]) -> dict[str, str]:
    """Store the joined pictures with these keys, and return their file names by key."""
    if hub.join is None:
        return {}
    join, names = hub.join, {}
    files, problems = shards(root, join.config, join.split), []
    for file, batch in _batches(files, (join.id, join.column), None, only_these=True):
        for row in rows_of(batch, file):
            if str(row[join.id]) in keys:
                try:
                    names[str(row[join.id])] = store.add(row[join.column])
                except BadRowError as error:
                    problems.append(f"{file}, {join.id} {shown(row[join.id])}: {error}")
    _raise_all(problems)
    return names


def _batches(
    files: Sequence[Path], columns: Sequence[str], limit: int | None, only_these: bool = False
) -> Iterator[tuple[Path, Any]]:
    """Yield files and batches of their rows, up to ``limit`` rows in all."""
    left = limit
    for file in files:
        for batch in parquet_batches(file, columns, only_these, most_rows=BATCH):
            part = batch if left is None else batch.slice(0, left)
            if left is not None:
                left -= len(part)
            if len(part):
                yield file, part
            if left == 0:
                return
