"""Checking that the answers to questions can be scored, before any question is answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Benchmark, Row
from paretoken.evaluate.ids import ROW_ID, Key, id_text, in_words, usable_keys
from paretoken.evaluate.score import row_score


@dataclass
class ScoreCheck:
    """A check of rows, one after the other and then together, by the benchmark's own rules.

    Attributes:
        benchmark: the benchmark.
        seen: numbers of the rows so far, by id.
        rows: the rows so far without pictures, if the benchmark scores rows together.
    """

    benchmark: Benchmark
    seen: dict[Key, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def row(self, number: int, row: Row) -> None:
        """Require that a row of the data set can be scored and has a unique id.

        Raises:
            BadRowError: its answer, options or id are missing or of the wrong kind, or its id appears in
                an earlier row.
        """
        unanswered = {**row, "prediction": ""}
        row_score(self.benchmark, unanswered)
        for key in usable_keys([row], self.benchmark.keys):
            if key != (ROW_ID,):  # the data set's own key; `_id` is added later
                self._require_new(number, key, tuple(id_text(row[column], column) for column in key))
        if self.benchmark.whole is not None:
            pictures = self.benchmark.hub.images if self.benchmark.hub else ()
            self.rows.append({k: v for k, v in unanswered.items() if k not in pictures})

    def together(self) -> None:
        """Require that the rows so far can be scored together.

        Raises:
            UserError: some rows of a question are missing.
        """
        if self.benchmark.aggregate is not None and self.rows:
            self.benchmark.aggregate(self.rows, [0.0] * len(self.rows))

    def _require_new(self, number: int, key: Key, found: Key) -> None:
        first = self.seen.setdefault(found, number)
        if first != number:
            raise BadRowError(f"its {in_words(key, found)} appears twice, in row {first} too")
