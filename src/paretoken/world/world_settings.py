"""Everything about the generated world that is no seed: ``workflow/recipes/miniature_world.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from paretoken.config.fields import Count, Record, Share, Size, WholeNumber, problem

#: What a question asks. ``read``: the digit of a colour; ``name``: the icon; the others: a fact.
Kind = Literal["name", "read", "fact", "number", "property"]
KINDS: tuple[Kind, ...] = ("name", "read", "fact", "number", "property")
NAME, READ, FACT, NUMBER, PROPERTY = range(5)


def _sums_to_one(values: list[float] | dict[Kind, float]) -> list[float] | dict[Kind, float]:
    total = sum(values.values() if isinstance(values, dict) else values)
    if abs(total - 1) > 1e-6:
        raise problem(f"the shares add up to {total:.6g}; they must add up to 1")
    return values


Shares = Annotated[list[Share], Field(min_length=1), AfterValidator(_sums_to_one)]
KindShares = Annotated[dict[Kind, Share], AfterValidator(_sums_to_one)]


class WorldSettings(Record):
    """What exists in the world."""

    icons: Annotated[int, Field(ge=2, le=64)] = Field(description="Things that images show.")
    values: Count = Field(description="Answers of the questions `relK`.")
    relations: Count = Field(description="Questions `relK`: an icon's value.")
    numeric: Count = Field(description="Questions `numK`: an icon's digit.")
    properties: Count = Field(description="Questions `propK`: yes or no.")
    zipf: Size = Field(description="Relation r is asked in proportion to (r + shift)^-zipf.")
    shift: Size = Field(description="Flattens the head of that distribution.")
    held_out: Share = Field(description="Share of facts that no VQA training asks for.")
    digits: Annotated[Shares, Field(max_length=6)] = Field(
        description="Shares of text images with 1, 2, ... digits."
    )
    clutter: Annotated[Shares, Field(max_length=5)] = Field(
        description="Shares of object images with 0, 1, ... dim icons beside the bright one."
    )
    noise: Share = Field(description="Standard deviation of the pixel noise, of a range of 1.")


class ImageSettings(Record):
    """One set of images."""

    count: Count = Field(description="How many.")
    text_share: Share = Field(description="Share of text images; the others show an object.")


class StageSettings(Record):
    """The training set of one stage."""

    conversations: Count = Field(description="Conversations about images.")
    turns: Count = Field(description="Questions in each.")
    kinds: KindShares = Field(description="What is asked about object images.")
    text_rows: WholeNumber = Field(
        default=0, description="Rows without image: one question about a named icon (rehearsal)."
    )
    text_kinds: KindShares | None = Field(default=None, description="What those rows ask.")


class MiniatureSettings(Record):
    """The world and the data sets made of it."""

    world: WorldSettings
    train_images: ImageSettings
    test_images: ImageSettings
    pretrain: StageSettings
    finetune: StageSettings
