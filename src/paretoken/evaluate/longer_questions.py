"""Lengthening questions without new content, to measure errors and costs at a number of text tokens.

A question is repeated until its prompt has at least Q tokens besides those of the image. The text thus
remains typical of prompts and contains no new information.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from paretoken.data.labels import ChatEncoder
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Benchmark
from paretoken.evaluate.latency import measure_latency
from paretoken.evaluate.prediction import Predictor
from paretoken.evaluate.questions import Question
from paretoken.evaluate.score import score_predictions
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted


@dataclass(frozen=True)
class Measured:
    """The results of a model for questions of one length.

    Attributes:
        asked: the requested Q.
        text_tokens: mean text tokens of a prompt: at least Q, and more if questions are longer.
        scores: score files by benchmark, as `paretoken score` writes them.
        latency: seconds per question at batch 1, see `measure_latency`.
    """

    asked: int
    text_tokens: float
    scores: Mapping[str, Mapping[str, Any]]
    latency: Mapping[str, Any]


class Lengthener:
    """Lengthens questions by repetition.

    Args:
        encoder: renders and tokenizes prompts.
    """

    def __init__(self, encoder: ChatEncoder) -> None:
        self.encoder = encoder
        self._lengths: dict[tuple[str, int], tuple[int, int]] = {}

    def lengthen(self, question: Question, Q: int) -> tuple[Question, int]:
        """Return a question whose prompt has at least Q text tokens, and how many it has."""
        once, step = self._length(question)
        times = 1 if once >= Q else 1 + math.ceil((Q - once) / step)
        made = replace(question, text=" ".join([question.text] * times))
        return made, once + step * (times - 1)

    def _length(self, question: Question) -> tuple[int, int]:
        """Return the numbers of text tokens of a question's prompt, and of each repetition."""
        key = question.text, len(question.images)
        if key not in self._lengths:
            twice = replace(question, text=f"{question.text} {question.text}")
            ids = self.encoder.prompts([question.prompt(), twice.prompt()])
            image = self.encoder.image_id
            one, two = (len(row) - row.count(image) for row in ids)
            self._lengths[key] = one, max(1, two - one)
        return self._lengths[key]


def by_part(name: str, questions: Sequence[Question], benchmark: Benchmark) -> dict[str, list[Question]]:
    """Return questions by part of the benchmark, or all under the file's name if it has no parts.

    Raises:
        UserError: a question does not name its part.
    """
    found: dict[str, list[Question]] = {}
    for question in questions:
        part = question.columns.get(benchmark.parts) if benchmark.parts else name
        if not isinstance(part, str) or not part.strip():
            raise UserError(
                f"{name}: question {shown(question.id)} has no {benchmark.parts}, which "
                f"{benchmark.name} needs; give the questions of that benchmark, or another --benchmark"
            )
        found.setdefault(part, []).append(question)
    return found


def require_room(predictor: Predictor, questions: Mapping[str, Sequence[Question]], Q: int) -> None:
    """Require that all questions, with Q text tokens, fit into the model's positions.

    Raises:
        UserError: some do not; the message gives their number and an example.
    """
    lengthener = Lengthener(predictor.encoder)
    for name, own in questions.items():
        made = [lengthener.lengthen(question, Q)[0] for question in own]
        problems = predictor.misfits(made, predictor.max_new_tokens)
        if problems:
            place = min(problems)
            raise UserError(
                f"{len(problems)} of {counted(len(own), 'question')} of {name} "
                f"{'does' if len(problems) == 1 else 'do'} not fit at --text-tokens {Q}, "
                f"for example {shown(own[place].id)}: {problems[place]}; give a smaller Q"
            )


def measure(
    predictor: Predictor, questions: Mapping[str, Sequence[Question]], benchmark: Benchmark, Q: int
) -> Measured:
    """Answer all questions at one length, score the answers and measure the latency.

    Args:
        predictor: predictor of the model.
        questions: questions by the name of their benchmark.
        benchmark: the benchmark that scores the answers.
        Q: number of text tokens.
    """
    lengthener = Lengthener(predictor.encoder)
    scores, lengths, asked = {}, [], []
    for name, own in questions.items():
        made = [lengthener.lengthen(question, Q) for question in own]
        asked = [question for question, _ in made]
        lengths += [length for _, length in made]
        rows = [
            _answered(question) | {"prediction": found.text}
            for question, found in zip(own, predictor.answer(asked), strict=True)
        ]
        scores[name] = score_predictions(benchmark, rows)
    mean = sum(lengths) / max(1, len(lengths))
    return Measured(Q, mean, scores, measure_latency(predictor, asked))


def _answered(question: Question) -> dict[str, Any]:
    """Return the columns of a question by which its answer is scored."""
    return dict(question.columns) or {"question_id": question.id, "answer": list(question.answers)}
