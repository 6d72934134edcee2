"""Reading YAML with clear errors, duplicate keys among them (plain YAML keeps the last silently)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from paretoken.bounded import LARGEST_YAML, read_bounded
from paretoken.errors import UserError
from paretoken.escape import shown

#: Values that a file may hold, each as often as aliases repeat it.
MOST_NODES = 200_000

#: What parsing a text as YAML raises: `ValueError` for a date or a number that does not exist, such as
#: 2024-13-45, and `RecursionError` for brackets without end.
UNREADABLE = (yaml.YAMLError, RecursionError, ValueError)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses duplicate keys, and aliases that expand to more than `MOST_NODES`."""

    def get_single_node(self) -> yaml.Node | None:
        """Compose the document, without values yet; aliases are references here, however often used."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _expanded(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping, or raise at the second occurrence of a key."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge" or not isinstance(key_node, yaml.ScalarNode):
                continue  # the base class merges the one and refuses the other
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {shown(key)} appears twice; write it once",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _expanded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return how many nodes there are when each alias is replaced by what it refers to.

    Raises:
        yaml.MarkedYAMLError: there are more than `MOST_NODES`, or a node contains itself.
    """
    if id(node) in sizes:
        size = sizes[id(node)]
        if not size:
            raise yaml.MarkedYAMLError(
                problem="an alias refers to what contains it", problem_mark=node.start_mark
            )
        return size
    sizes[id(node)], size = 0, 1
    if isinstance(node, yaml.MappingNode):
        size += sum(_expanded(part, sizes) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_expanded(part, sizes) for part in node.value)
    if size > MOST_NODES:
        raise yaml.MarkedYAMLError(
            problem=f"it has more than {MOST_NODES:,} values once its aliases are expanded",
            problem_mark=node.start_mark,
        )
    sizes[id(node)] = size
    return size


def parse_yaml(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        yaml.YAMLError: it is not YAML, repeats a key, or its aliases expand to too much. Values that do
            not exist (a date 2024-13-45) are a `ValueError`, deep nesting a `RecursionError`.
    """
    return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        UserError: the file is missing or unreadable, is no YAML, repeats a key, or is no mapping.
    """
    try:
        content = parse_yaml(read_bounded(path, LARGEST_YAML).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8: {error}") from error
    except UNREADABLE as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold 'key: value' lines at its top level")
    return content
