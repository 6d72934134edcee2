"""The program that renders chat templates in a separate process; see `chat_rendering`.

It reads one JSON object per line and answers each with another: ``text``, or ``error``, and the
``seconds`` of CPU time that this took. It imports nothing but Jinja, so that it starts at once. It
defines the functions that `transformers` defines for chat templates (its ``chat_template_utils``), so
that both render the same.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace


class _Generation(Extension):
    """The tag ``{% generation %}``, which marks answers for `transformers`; only its content matters."""

    tags = {"generation"}  # noqa: RUF012  # as the base class has it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)

    def _content(self, caller: Any) -> Any:
        return caller()


class _Namespace(Namespace):
    def __init__(*args: Any, **fields: Any) -> None:  # a field may be called `self`
        self, *rest = args
        made = dict(*rest, **fields)
        for name in made:
            _require_public(name)
        Namespace.__init__(self, made)

    def __setitem__(self, name: str, value: Any) -> None:
        _require_public(name)
        super().__setitem__(name, value)


class _Dict:
    def __call__(self, *args: Any, **fields: Any) -> dict[Any, Any]:
        return dict(*args, **fields)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


def _require_public(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace has no field {name!r}")


def _raise(message: str) -> None:
    raise TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _now(form: str) -> str:
    return datetime.now().strftime(form)  # local time, as templates expect it


@lru_cache(4)
def _compiled(template: str) -> Any:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": _raise,
        "strftime_now": _now,
        "dict": _Dict(),
        "namespace": _Namespace,
    }
    return environment.from_string(template)


def render(template: str, variables: dict[str, Any], longest: int) -> str:
    """Return a template rendered with its variables (`ValueError` if the text is too long)."""
    parts, length = [], 0
    for part in _compiled(template).generate(**variables):
        parts.append(part)
        length += len(part)
        if length > longest:
            raise ValueError(f"it writes more than {longest:,} characters")
    return "".join(parts)


def _answer(line: str) -> dict[str, Any]:
    start = time.process_time()
    return {**_rendered(line), "seconds": time.process_time() - start}


def _rendered(line: str) -> dict[str, str]:
    try:
        return {"text": render(**json.loads(line))}
    except MemoryError:
        return {"error": "it needs too much memory"}
    except Exception as error:  # a template can raise anything
        return {"error": str(error)[:500] or type(error).__name__}


def main(memory: int) -> None:
    """Answer requests within an address space of ``memory`` bytes until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        print(json.dumps(_answer(line)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
