"""Settings that a study has no use for, or that silently mean another one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from feasible_studies import ROOT, Raw, alone, found, shipped, study_of
from paretoken.config.config import parse
from paretoken.data.rendering import Rendering
from paretoken.errors import UserError
from paretoken.registry import TEMPLATES


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def with_gpus(study: str, **gpus: int) -> Raw:
    """Return a study alone, whose first language model has so many GPUs."""
    raw = shipped()
    record = study_of(raw, study)
    name = record["llms"][0]
    next(llm for llm in raw["llms"] if llm["name"] == name)["gpus"] = gpus
    return {**raw, "run": [study], "studies": [record]}


@pytest.mark.parametrize("study", ["paper", "miniature"])
@pytest.mark.parametrize("gpus", [2, 64])
def test_answers_take_one_gpu(study: str, gpus: int) -> None:
    lines = [str(finding) for finding in found(parse(with_gpus(study, predict=gpus)))]
    assert any(
        ".gpus.predict: " in line and f"{gpus} GPUs" in line and "write 1" in line for line in lines
    )
    assert not any(".predict" in str(f) for f in found(parse(with_gpus(study, predict=1))))


@pytest.mark.parametrize("stage", ["pretrain", "finetune", "predict"])
def test_jobs_have_no_more_gpus_than_any_cluster(stage: str) -> None:
    with pytest.raises(UserError, match=rf"gpus.{stage} = 10001: must be 10,000 or less"):
        parse(with_gpus("paper", **{stage: 10_001}))


@pytest.mark.parametrize("loss", ["squared", "log_squared", "l1", None])
def test_a_delta_needs_a_huber_loss(loss: str | None) -> None:
    settings = {"huber_delta": 5.0, **({"loss": loss} if loss else {})}
    with pytest.raises(UserError, match=r"fit: huber_delta has no effect on the loss"):
        alone("paper", lambda study: study["fit"].update(settings))


@pytest.mark.parametrize("loss", ["huber", "log_huber"])
def test_a_delta_of_a_huber_loss_is_kept(loss: str) -> None:
    fit = {"loss": loss, "huber_delta": 5.0, "laws": ["product_zero_d"]}
    config = alone("paper", lambda study: study.update(fit=fit))
    assert config.studies[0].fit.huber_delta == 5.0
    frozen = config.freeze("paper")
    assert type(frozen).model_validate(frozen.model_dump(mode="json")) == frozen


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_a_template_that_fails_is_not_the_one_that_is_advised(name: str) -> None:
    text = TEMPLATES.load(name)
    same = {other for other in TEMPLATES if TEMPLATES.load(other) == text}
    complaint = Rendering(SimpleNamespace(name_or_path="model"), name, ())._endless()
    advised = complaint.split("use another template, ")[1].removesuffix(" for example").split(", ")
    assert set(advised) == set(TEMPLATES) - same
    assert advised
