"""The file of a model's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.evaluate.left_out import with_left_out
from paretoken.evaluate.prediction import Prediction
from paretoken.evaluate.questions import Question
from paretoken.io.escape import shown
from paretoken.io.files import replacing

#: Columns that are added to the questions.
ANSWERED = ("prediction", "generated_tokens")


def write_predictions(
    path: Path,
    questions: Sequence[Question],
    predictions: Sequence[Prediction],
    left_out: Mapping[int, str] | None = None,
) -> None:
    """Write one row per question to Parquet, atomically and in the order of the questions.

    The columns are question_id, prompt, answer (list of accepted texts), prediction and
    generated_tokens. If the questions have the data set's own columns, these replace question_id and
    answer.

    Args:
        path: file to write.
        questions: the questions.
        predictions: their answers.
        left_out: rows of the questions' file that were left out, with reasons; see
            `paretoken.evaluate.left_out`.

    Raises:
        UserError: see `stored_questions`.
    """
    import pyarrow
    from pyarrow.parquet import write_table

    generated = [prediction.generated_tokens for prediction in predictions]
    table = stored_questions(questions)
    table = table.append_column(ANSWERED[0], pyarrow.array([p.text for p in predictions]))
    table = table.append_column(ANSWERED[1], pyarrow.array(generated, pyarrow.int32()))
    table = with_left_out(table, left_out or {})
    with replacing(path) as temporary:
        write_table(table, temporary)


def stored_questions(questions: Sequence[Question]) -> Any:
    """Return the table of the questions' columns in a file of predictions.

    Raises:
        UserError: questions differ in their columns, have one that is reserved for answers, or a column
            mixes types or holds empty objects, which Parquet does not support.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    columns: dict[str, list[Any]] = {
        "question_id": [question.id for question in questions],
        "prompt": [question.prompt() for question in questions],
        "answer": [list(question.answers) for question in questions],
    }
    if questions and questions[0].columns:
        names = questions[0].columns
        if taken := [name for name in ANSWERED if name in names]:
            raise UserError(
                f"the questions have a column {shown(taken[0])}, which is reserved for answers: "
                "rename it"
            )
        for question in questions:
            if question.columns.keys() != names.keys():
                other = min(question.columns.keys() ^ names.keys())
                raise UserError(
                    f"some questions have a column {shown(other)}, but others do not; add it to all"
                )
        own = {name: [question.columns[name] for question in questions] for name in names}
        columns = {**own, "prompt": columns["prompt"]}
    arrays = {}
    for name, values in columns.items():
        try:
            arrays[name] = pyarrow.array(values)
            # Parquet supports fewer types than Arrow: objects without keys are missing.
            ParquetWriter(BytesIO(), pyarrow.schema([(name, arrays[name].type)])).close()
        except (pyarrow.ArrowException, OverflowError) as error:
            raise UserError(
                f"column {shown(name)} of the questions cannot be stored: {error}; write values of one "
                "type, and no empty objects"
            ) from error
    return pyarrow.table(arrays)
