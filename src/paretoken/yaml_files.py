"""Reading YAML with clear errors, duplicate keys among them (plain YAML keeps the last silently)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from paretoken.errors import UserError

#: What parsing a text as YAML raises: `ValueError` for a date or a number that does not exist, such as
#: 2024-13-45, and `RecursionError` for brackets without end.
UNREADABLE = (yaml.YAMLError, RecursionError, ValueError)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a mapping in which a key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping, or raise at the second occurrence of a key."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge" or not isinstance(key_node, yaml.ScalarNode):
                continue  # the base class merges the one and refuses the other
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands twice; write it once",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        UserError: the file is missing or unreadable, is no YAML, repeats a key, or is no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except UNREADABLE as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold 'key: value' lines at its top level")
    return content
