"""Rules on N: whether sizes are those of their models, and whether each is a different model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paretoken.config.sources import Llm
from paretoken.costs.shapes import TOLERANCE, decoder_shape
from paretoken.errors import UserError
from paretoken.feasibility.backbones import local_config, local_folder
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.generated import llm_recipe, world_settings
from paretoken.plan.expected_shapes import miniature_decoder

#: Largest ratio of a nominal size to the parameters of its model, in either direction: names are rounded
#: (Qwen1.5-7B has 7.7 billion), and N is counted with or without embeddings. The second ratio applies if
#: only the total is known, since embeddings can be most of a small model (Gemma 3 270M: 0.17 of 0.27).
NOMINAL, WITHOUT_EMBEDDINGS = 2, 4

#: Families of language models, by the beginning of their repositories' ids, with the version.
FAMILY = re.compile(
    r"(qwen|llama|vicuna|mistral|mixtral|gemma|phi|opt|pythia|smollm|tinyllama|internlm|yi|olmo|falcon)"
    r"(?:[-_ ]?v?(\d++(?:\.\d++)?+)(?![\d.]*[bm]\b))?",
    re.IGNORECASE,
)


def sizes_are_those_of_their_models(subject: Subject) -> Iterator[Finding]:
    """Find nominal sizes that differ much from the parameters of their models, where these are known.

    Without a law, N is only a label, from which costs are computed, so this is a warning.
    """
    for name in (*subject.study.llms, *subject.study.predict):
        record, place = subject.frozen.llm(name), f"{subject.llm_place(name)}.params_b"
        for whose, low, high, kind in _counted(subject, record):
            if not low / 1e9 <= record.params_b <= high / 1e9:
                yield subject.elsewhere(
                    place,
                    f"is {record.params_b:g}, but {whose}; a nominal size, with or without embeddings, "
                    f"must be between {low / 1e9:.3g} and {high / 1e9:.3g}: correct one of them",
                    kind if subject.study.fit.laws else Kind.WARNING,
                )


def _counted(subject: Subject, record: Llm) -> Iterator[tuple[str, float, float, Kind]]:
    """Yield each known parameter count of a model: a text, the smallest and largest N, the severity."""
    if record.params is not None:
        words = f"its record says params: {record.params:_}"
        yield words, record.params / WITHOUT_EMBEDDINGS, record.params * NOMINAL, Kind.CONFIG
    shape, whose = None, ""
    try:
        if subject.fetched:
            config, whose = local_config(record.hub), f"the model in {record.hub}"
            shape = None if config is None else decoder_shape(config)
        elif subject.generated and record.make is not None:
            recipe, world = llm_recipe(record), world_settings(subject)
            whose = f"a model of width {record.make.width}"
            if recipe is not None and world is not None:
                shape = miniature_decoder(record.make.width, recipe, world)
    except UserError:  # other rules report it
        return
    if shape is not None:
        total, body = shape.parameters()["total"], shape.parameters()["non_embedding"]
        words = f"{whose} has {total:,} parameters ({body:,} without embeddings)"
        yield words, body / NOMINAL, total * NOMINAL, Kind.FILE


def sizes_are_different_models(subject: Subject) -> Iterator[Finding]:
    """Find one model that is used for several sizes of a law."""
    if not subject.study.fit.laws or subject.training is None:
        return
    alike: list[list[Llm]] = []
    for name in subject.study.llms:
        record = subject.frozen.llm(name)
        group = next((g for g in alike if any(_same(subject, record, other) for other in g)), None)
        if group is None:
            alike.append([record])
        else:
            group.append(record)
    for group in alike:
        if len(group) > 1:
            first = group[0]
            made = first.make
            what = str(first.hub) if made is None else f"of width {made.width} by {made.recipe}"
            yield subject.finding(
                "llms",
                f"{' and '.join(record.name for record in group)} are the same model, {what}, under "
                "several sizes, but a law in N needs a different model for each; correct "
                f"{'make' if made else 'hub and revision'} in their records, or keep only one",
            )


def _same(subject: Subject, one: Llm, other: Llm) -> bool:
    """Return whether two records are of the same model.

    A missing revision may be the same as the other's, unless their exact parameters differ.
    """
    if subject.generated:
        return one.make is not None and one.make == other.make
    if one.hub is None or _origin(one.hub) != _origin(other.hub):
        return False
    if one.revision == other.revision:
        return True
    left_out = None in (one.revision, other.revision)
    return left_out and not (one.params and other.params and _differ(one.params, other.params))


def _origin(hub: str | None) -> str | None:
    """Return a source in canonical form: ids on a hub in lower case, directories with links resolved."""
    folder = local_folder(hub)
    return str(folder.resolve()) if folder is not None else hub.lower() if hub else None


def _differ(one: int, other: int) -> bool:
    return abs(one - other) > TOLERANCE * max(one, other)


def sizes_are_of_one_family(subject: Subject) -> Iterator[Finding]:
    """Warn of a law in N over sizes of several model families, which do not differ only in N."""
    if not subject.study.fit.laws:
        return
    families: dict[str, list[str]] = {}
    for name in (*subject.study.llms, *subject.study.predict):
        record = subject.frozen.llm(name)
        found = FAMILY.search((record.hub or name).rstrip("/").rpartition("/")[2]) or FAMILY.search(name)
        if found:
            families.setdefault(f"{found[1]}{found[2] or ''}".lower(), []).append(name)
    if len(families) > 1:
        listed = "; ".join(f"{family}: {', '.join(names)}" for family, names in families.items())
        yield subject.finding(
            "llms",
            f"a law in N is fitted over sizes of several model families ({listed}), which differ in "
            "more than their size; study them separately, unless this is intended",
            Kind.WARNING,
        )
