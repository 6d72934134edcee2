"""Applying all rules to all studies, for `paretoken check` and for Snakemake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from paretoken.config.config import Config, raise_for_problems
from paretoken.feasibility.backbones import encoder_can_be_fetched, language_models_can_be_fetched
from paretoken.feasibility.benchmarks import sources_exist, variants_are_known
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.generated import (
    encoder_fits,
    sources_can_be_made,
    widths_can_be_trained,
    world_has_questions,
)
from paretoken.feasibility.laws import (
    compressors_are_fitted_apart,
    laws_are_determined,
    laws_are_used,
)
from paretoken.feasibility.lengths import (
    answers_fit_into_positions,
    images_fit_into_max_length,
    models_read_max_length,
)
from paretoken.feasibility.recipes import (
    answers_use_one_gpu,
    gpus_divide_the_batch,
    recipes_can_be_read,
    recipes_fit_their_devices,
)
from paretoken.feasibility.reference_tables import (
    errors_are_shares,
    latency_and_price,
    measured_table_is_whole,
    published_tables_can_be_read,
    recorded_tables_are_whole,
)
from paretoken.feasibility.results import claims_can_be_tested, figures_can_be_drawn
from paretoken.feasibility.sizes import (
    sizes_are_different_models,
    sizes_are_of_one_family,
    sizes_are_those_of_their_models,
)
from paretoken.feasibility.training_data import (
    own_data_can_be_read,
    recipes_train_a_step,
    training_data_are_described,
)

Rule = Callable[[Subject], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    recipes_can_be_read,
    gpus_divide_the_batch,
    answers_use_one_gpu,
    recipes_fit_their_devices,
    images_fit_into_max_length,
    models_read_max_length,
    answers_fit_into_positions,
    sources_can_be_made,
    world_has_questions,
    encoder_fits,
    widths_can_be_trained,
    language_models_can_be_fetched,
    encoder_can_be_fetched,
    training_data_are_described,
    own_data_can_be_read,
    recipes_train_a_step,
    variants_are_known,
    sources_exist,
    measured_table_is_whole,
    errors_are_shares,
    published_tables_can_be_read,
    recorded_tables_are_whole,
    latency_and_price,
    laws_are_determined,
    compressors_are_fitted_apart,
    laws_are_used,
    sizes_are_those_of_their_models,
    sizes_are_different_models,
    sizes_are_of_one_family,
    figures_can_be_drawn,
    claims_can_be_tested,
)


def examine(config: Config) -> list[Finding]:
    """Return the findings of all rules in all studies."""
    subjects = [Subject(config, index) for index in range(len(config.studies))]
    found = (finding for subject in subjects for rule in RULES for finding in _apply(rule, subject))
    return list(dict.fromkeys(found))


def _apply(rule: Rule, subject: Subject) -> Iterator[Finding]:
    try:
        yield from rule(subject)
    except OSError as error:  # the name is too long, or permission is denied
        sentence = (
            f"{error.filename} cannot be read: {error.strerror}; write the name of a readable file"
        )
        yield Finding(subject.study.name, f"studies[{subject.index}]", sentence, Kind.FILE)


def problems_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are not just warnings."""
    return [finding for finding in findings if finding.kind != Kind.WARNING]


def blocking(config: Config, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that stop a run: those in the config, and in files of selected studies."""
    return [
        finding
        for finding in problems_of(findings)
        if finding.kind == Kind.CONFIG or finding.study in config.run
    ]


def require_runnable(config: Config) -> list[Finding]:
    """Return the warnings about the studies that are run.

    Raises:
        UserError: there are blocking findings; the message has one line for each.
    """
    findings = examine(config)
    raise_for_findings(blocking(config, findings), "config.yaml")
    return [f for f in findings if f.kind == Kind.WARNING and f.study in config.run]


def raise_for_findings(problems: Iterable[Finding], origin: str) -> None:
    """Raise `UserError` with one line per distinct finding, if there are any."""
    raise_for_problems(dict.fromkeys(map(str, problems)), origin)  # studies share records
