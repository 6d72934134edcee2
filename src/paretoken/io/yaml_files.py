"""Reading YAML with clear errors, also for duplicate keys (PyYAML silently keeps the last one)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

from paretoken.errors import UserError
from paretoken.io.bounded import LARGEST_YAML, read_bounded
from paretoken.io.escape import shown

#: Most values of a file, with its aliases expanded.
MOST_NODES = 200_000

#: Most ``%TAG`` lines, which declare abbreviations of tags.
MOST_TAGS = 100

#: Most characters of a number: Python reads no more digits, and numbers in base 60 take long to compute.
LONGEST_NUMBER = 4300
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

#: Errors that `parse_yaml` raises.
UNREADABLE = (yaml.YAMLError, RecursionError)

#: Errors that PyYAML raises for a value that does not fit its tag, such as ``!!int ""`` or ``!!bool x``.
UNFIT = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


class _Bounded(Composer, SafeConstructor, Resolver):
    """Builds values from events, and rejects duplicate keys and more than `MOST_NODES` values."""

    peek_event: Callable[[], Any]  # this method and the next one are the parser's
    dispose: Callable[[], None]

    def __init__(self) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one value, or raise if there are too many already, without reading the rest."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _too_many(self.peek_event().start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def get_single_node(self) -> yaml.Node | None:
        """Compose the nodes of the document, and count them with their aliases expanded."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _expanded(node, {})
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build one value; any error in it names the line."""
        if node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER:
            raise yaml.MarkedYAMLError(
                problem=f"a number has more than {LONGEST_NUMBER:,} characters",
                problem_mark=node.start_mark,
            )
        try:
            return super().construct_object(node, deep)
        except UNFIT as error:
            kind = node.tag.replace("tag:yaml.org,2002:", "!!")
            value = shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
            raise yaml.MarkedYAMLError(
                problem=f"{value} is not a value of the kind {shown(kind)}",
                problem_mark=node.start_mark,
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping, or raise at the second occurrence of a key."""
        seen = set()
        # The base class rejects other nodes that have the tag of a mapping.
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == "tag:yaml.org,2002:merge" or not isinstance(key_node, yaml.ScalarNode):
                continue  # the base class merges the former and rejects the latter
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {shown(key)} appears twice; write it once",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


class _PlainLoader(_Bounded, Reader, Scanner, Parser):
    """Reads text with PyYAML's own parser."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Bounded.__init__(self)


def _fast_loader() -> Callable[[str], _Bounded] | None:
    """Return a loader that reads text with libyaml, ten times as fast; None where PyYAML lacks it."""
    if not yaml.__with_libyaml__:
        return None
    from yaml._yaml import CParser

    class FastLoader(_Bounded, CParser):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Bounded.__init__(self)

    return FastLoader


LOADERS: dict[str, Callable[[str], _Bounded]] = {
    "plain": _PlainLoader,
    "fast": _fast_loader() or _PlainLoader,
}


def _too_many(mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(
        problem=f"it has more than {MOST_NODES:,} values once its aliases are expanded",
        problem_mark=mark,
    )


def _expanded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return the number of nodes once each alias is replaced by its target.

    Raises:
        yaml.MarkedYAMLError: there are more than `MOST_NODES`, or a node contains itself.
    """
    if id(node) in sizes:
        size = sizes[id(node)]
        if not size:
            raise yaml.MarkedYAMLError(
                problem="an alias refers to a value that contains it", problem_mark=node.start_mark
            )
        return size
    sizes[id(node)], size = 0, 1
    if isinstance(node, yaml.MappingNode):
        size += sum(_expanded(part, sizes) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_expanded(part, sizes) for part in node.value)
    if size > MOST_NODES:
        raise _too_many(node.start_mark)
    sizes[id(node)] = size
    return size


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML text.

    Raises:
        yaml.YAMLError: it is not YAML, repeats a key, has an impossible value (the date 2024-13-45), or
            too many values.
        RecursionError: its brackets are nested too deeply.
    """
    if text.count("%TAG") > MOST_TAGS:  # libyaml compares each with all others
        raise yaml.YAMLError(f"it declares more than {MOST_TAGS} tags; remove the %TAG lines")
    try:
        loader = LOADERS["fast"](text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except UNFIT as error:  # such as half a character
        raise yaml.YAMLError(f"it cannot be read: {error}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        UserError: the file is missing or unreadable, is not YAML, repeats a key, or is not a mapping.
    """
    try:
        content = parse_yaml(read_bounded(path, LARGEST_YAML).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8: {error}") from error
    except UNREADABLE as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold 'key: value' lines at its top level")
    return content
