"""How a process leaves its group, with stand-ins for what several GPUs would do."""

from __future__ import annotations

import pytest
import torch

from paretoken.train import distributed as module
from paretoken.train.distributed import process_group


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the calls of PyTorch's functions, in their order."""
    made: list[str] = []
    for name in ("init_process_group", "barrier", "destroy_process_group"):

        def note(*_: object, name: str = name, **__: object) -> None:
            made.append(name)

        monkeypatch.setattr(module.distributed, name, note)
    monkeypatch.setattr(module.distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    monkeypatch.setattr(module, "forget_group", lambda: made.append("forget_group"))
    return made


@pytest.mark.parametrize("cuda", [True, False])
@pytest.mark.parametrize("rank", [None, "1"])
def test_a_group_is_left_together(
    calls: list[str], cuda: bool, rank: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(monkeypatch, cuda, rank)
    with process_group(even_alone=True):
        assert calls == ["init_process_group"]
    assert calls[1:] == ["barrier", "destroy_process_group", "forget_group"]


@pytest.mark.parametrize(
    ("cuda", "rank", "destroyed"),
    [(True, "1", False), (False, "1", True), (True, None, True), (False, None, True)],
)
def test_a_process_that_fails_does_not_wait_for_the_others(
    calls: list[str], cuda: bool, rank: str | None, destroyed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On GPUs, where the end of communication is collective; one process alone waits for nobody."""
    enter(monkeypatch, cuda, rank)
    with pytest.raises(ValueError, match="memory"), process_group(even_alone=True):
        raise ValueError("memory")
    assert calls[1:] == ["destroy_process_group"] * destroyed + ["forget_group"]


def enter(monkeypatch: pytest.MonkeyPatch, cuda: bool, rank: str | None) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    if rank is None:
        monkeypatch.delenv("RANK", raising=False)
    else:
        monkeypatch.setenv("RANK", rank)
