"""What `paretoken.config.needs` repeats of heavy modules is what these say."""

from __future__ import annotations

import numpy as np
import pytest

from paretoken.analysis.equal_cost import TOLERANCE
from paretoken.config.asked import benchmarks_of
from paretoken.config.needs import CLAIM_NEEDS, FIGURE_NEEDS, LAW_FACTS
from paretoken.feasibility import generated, points
from paretoken.registry import BENCHMARKS, CLAIMS, FIGURES, LAWS
from paretoken.world.facts import GRID
from paretoken.world.write import SPARSE


def test_every_registered_figure_claim_and_law_says_what_it_needs() -> None:
    assert set(FIGURE_NEEDS) == set(FIGURES)
    assert set(CLAIM_NEEDS) == set(CLAIMS)
    assert set(LAW_FACTS) == set(LAWS)


@pytest.mark.parametrize("name", list(LAWS))
def test_laws_are_what_is_said_of_them(name: str) -> None:
    law, facts = LAWS.load(name), LAW_FACTS[name]
    assert facts.parameters == len(law.parameters)
    assert facts.constant_optimum == law.constant_optimum
    assert facts.paper_form == ("K" in law.parameters and not law.text_in_error)
    assert facts.slopes == law.slopes
    assert facts.floor == law.floor
    assert facts.exponents == bool(law.exponents)
    assert facts.saturates == ("K" in law.parameters)
    centred = np.full((1, len(law.parameters)), 0.5)
    moved = law.uncenter(centred, 1.0, 2.0)[0] != centred[0]
    fixable = {name for name, moves in zip(law.parameters, moved, strict=True) if not moves}
    assert set(facts.fixable) == (fixable if law.slopes else set())


@pytest.mark.parametrize("name", benchmarks_of(generated=False))
def test_what_a_study_on_downloaded_data_can_ask_has_a_data_set(name: str) -> None:
    assert BENCHMARKS.load(name).hub is not None
    assert BENCHMARKS.load(name).prompt is not None


def test_numbers_that_are_repeated_are_the_same() -> None:
    assert generated.GRID == GRID
    assert generated.SPARSE == SPARSE
    assert points.EQUAL_COST == TOLERANCE
