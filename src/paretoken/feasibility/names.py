"""Rules on names that become names of files, where two of them would be one file."""

from __future__ import annotations

from collections.abc import Iterator

from paretoken.feasibility.findings import Finding, Subject

#: What a llava study calls the encoder's log (`fetch-vision.log`), beside those of its language models.
ENCODER = "vision"


def logs_have_names_of_their_own(subject: Subject) -> Iterator[Finding]:
    """Find a language model whose log would be the encoder's."""
    if subject.kind == "llava" and ENCODER in subject.study.llms:
        yield subject.elsewhere(
            f"{subject.llm_place(ENCODER)}.name",
            f"{ENCODER!r} is what the log of the encoder is called; write another name",
        )
