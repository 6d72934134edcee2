"""A law over compressors with the same V is fitted to all of their cells: a warning."""

from __future__ import annotations

from itertools import combinations

import pytest

from feasible_studies import ROOT, STUDIES, Raw, alone, found
from paretoken.feasibility.findings import Kind

#: Compressors of the miniature's grid, each with every V of these that it can make.
ENTRIES = {
    "average_pool": [1, 4, 9, 36],
    "none": [36],
    "random": [1, 4, 9],
    "downsample": [4, 9],
    "matryoshka_pooling": [1, 36],
}


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def told(first: str, second: str, laws: list[str]) -> list[str]:
    def change(study: Raw) -> None:
        study["compressors"] = [{"name": name, "tokens": ENTRIES[name]} for name in (first, second)]
        study.update(fit={"laws": laws}, figures=[], claims=[])

    findings = found(alone("miniature", change), Kind.WARNING)
    return [f.sentence for f in findings if f.place == "studies[0].compressors"]


@pytest.mark.parametrize(("first", "second"), list(combinations(ENTRIES, 2)))
def test_the_same_tokens_of_two_compressors_are_a_warning(first: str, second: str) -> None:
    shared = set(ENTRIES[first]) & set(ENTRIES[second])
    lines = told(first, second, ["product_zero_d"])
    assert len(lines) == bool(shared)
    assert all(f"V = {V}: {first}, {second}" in line for line in lines for V in shared)
    assert told(first, second, []) == []


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies_are_fitted_apart(name: str) -> None:
    places = [finding.place for finding in found(alone(name), Kind.WARNING)]
    assert "studies[0].compressors" not in places
