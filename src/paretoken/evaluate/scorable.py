"""Whether the answers to questions can be scored, found out before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Benchmark, Row
from paretoken.evaluate.ids import ROW_ID, Key, id_text, in_words, usable_keys
from paretoken.evaluate.score import row_score


@dataclass
class ScoreCheck:
    """Looks at rows one after the other, then at all of them, with the benchmark's own rules.

    Attributes:
        benchmark: the rules.
        seen: the id of every row so far, with its number.
        rows: those so far, if the benchmark scores rows together; without pictures.
    """

    benchmark: Benchmark
    seen: dict[Key, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def row(self, number: int, row: Row) -> None:
        """Check that a row of the data set can be scored and that its id is its own.

        Raises:
            BadRowError: its answer, options or id are missing or of the wrong kind, or its id appears in
                an earlier row.
        """
        unanswered = {**row, "prediction": ""}
        row_score(self.benchmark, unanswered)
        for key in usable_keys([row], self.benchmark.keys):
            if key != (ROW_ID,):  # the data set's own; ours is made later
                self._require_new(number, key, tuple(id_text(row[column], column) for column in key))
        if self.benchmark.whole is not None:
            pictures = self.benchmark.hub.images if self.benchmark.hub else ()
            self.rows.append({k: v for k, v in unanswered.items() if k not in pictures})

    def together(self) -> None:
        """Check that the rows so far can be scored together.

        Raises:
            UserError: they cannot, because questions lack some of their rows.
        """
        if self.benchmark.aggregate is not None and self.rows:
            self.benchmark.aggregate(self.rows, [0.0] * len(self.rows))

    def _require_new(self, number: int, key: Key, found: Key) -> None:
        first = self.seen.setdefault(found, number)
        if first != number:
            raise BadRowError(f"its {in_words(key, found)} appears twice, in row {first} too")
