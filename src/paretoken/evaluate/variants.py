"""Whether the variants that a config names exist, before anything is trained for them."""

from __future__ import annotations

from paretoken.config import Config, LlavaTraining
from paretoken.errors import UserError
from paretoken.registry import BENCHMARKS


def demand_variants(config: Config) -> None:
    """Check every variant of a benchmark in a config.

    A benchmark's module is only imported if a study names a variant of it.

    Raises:
        UserError: a variant does not exist; says where it stands, and lists those that do.
    """
    for study in config.studies:
        training = study.training
        for own in training.benchmarks if isinstance(training, LlavaTraining) else []:
            for key in ("questions", "scoring"):
                name = getattr(own, key)
                if name is not None:
                    _demand(f"study {study.name}, training.benchmarks, {own.name}.{key}", own.name, name)


def _demand(place: str, benchmark: str, variant: str) -> None:
    try:
        BENCHMARKS.load(benchmark).variant(variant)
    except UserError as error:
        raise UserError(f"{place}: {error}") from error
