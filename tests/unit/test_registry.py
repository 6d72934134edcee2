"""Names and what they stand for."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from paretoken.errors import UserError
from paretoken.registry import CLAIMS, FIGURES, LAWS, Registry, unknown_name


def test_a_name_appears_once():
    with pytest.raises(ValueError, match="registered twice as a law: b"):
        Registry("law", ("a", "x:A"), ("b", "x:B"), ("b", "y:B"))


def test_unknown_names_list_the_valid_ones_and_the_nearest():
    with pytest.raises(UserError) as refused:
        LAWS.check("aditive")
    assert "unknown law 'aditive'" in str(refused.value)
    assert all(name in str(refused.value) for name in LAWS)
    assert "did you mean 'additive'" in str(refused.value)
    with pytest.raises(UserError):
        LAWS.load("Product")


def test_nothing_near_gives_no_hint():
    assert "did you mean" not in unknown_name("law", "zzz", ["product"])
    assert "(none defined)" in unknown_name("law", "zzz", [])


@pytest.mark.parametrize("registry", [LAWS, FIGURES, CLAIMS], ids=lambda r: r.kind)
def test_every_name_belongs_to_a_module_that_exists(registry):
    assert list(registry)
    for name in registry:
        assert name in registry
        assert find_spec(registry.module(name)) is not None, name


def test_laws_know_their_own_names():
    assert {name: LAWS.load(name).name for name in LAWS} == {name: name for name in LAWS}
    products = {"product", "product_zero_d", "product_q_plus_v"}
    assert set(LAWS) == products | {"log_linear", "additive", "constant"}
