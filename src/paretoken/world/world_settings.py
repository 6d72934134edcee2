"""The settings of the generated world (not its seeds): ``workflow/recipes/miniature_world.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from paretoken.config.fields import Count, Record, Share, Size, WholeNumber, problem

#: Kinds of questions. ``read``: the digit of a colour; ``name``: the icon; the others: a fact.
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
    """The content of the world."""

    icons: Annotated[int, Field(ge=2, le=64)] = Field(
        description="Number of icons that images can show."
    )
    values: Count = Field(description="Number of answers to the questions `relK`.")
    relations: Count = Field(description="Number of questions `relK`: an icon's value.")
    numeric: Count = Field(description="Number of questions `numK`: an icon's digit.")
    properties: Count = Field(description="Number of questions `propK`: yes or no.")
    zipf: Size = Field(description="Relation r is asked in proportion to (r + shift)^-zipf.")
    shift: Size = Field(description="Flattens the head of that distribution.")
    held_out: Share = Field(description="Share of facts that VQA training never asks for.")
    digits: Annotated[Shares, Field(max_length=6)] = Field(
        description="Shares of text images with 1, 2, ... digits."
    )
    clutter: Annotated[Shares, Field(max_length=5)] = Field(
        description="Shares of object images with 0, 1, ... dim icons beside the bright one."
    )
    noise: Share = Field(description="Standard deviation of the pixel noise; pixels are 0 to 1.")


class ImageSettings(Record):
    """One set of images."""

    count: Count = Field(description="Number of images.")
    text_share: Share = Field(description="Share of text images; the others show an object.")


class StageSettings(Record):
    """The training set of one stage."""

    conversations: Count = Field(description="Number of conversations about images.")
    turns: Count = Field(description="Questions per conversation.")
    kinds: KindShares = Field(description="Shares of the kinds of questions about object images.")
    text_rows: WholeNumber = Field(
        default=0,
        description="Number of rows without an image: one question about a named icon (rehearsal).",
    )
    text_kinds: KindShares | None = Field(
        default=None, description="Shares of the kinds of questions in those rows."
    )


class MiniatureSettings(Record):
    """The world, and the data sets that are generated from it."""

    world: WorldSettings
    train_images: ImageSettings
    test_images: ImageSettings
    pretrain: StageSettings
    finetune: StageSettings
