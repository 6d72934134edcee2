"""Scripts, styles and data that are embedded in a page, so that it loads no other files."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

ASSETS = files("paretoken.report") / "assets"
#: The explorer's script in parts that share their names, in this order.
EXPLORER = (
    "quantities.js",
    "explorer_data.js",
    "explorer_budget.js",
    "explorer_address.js",
    "explorer_words.js",
    "explorer_chart.js",
    "explorer.js",
)


class Inlined(str):
    """Text of a script or style element, which must not contain the end of that element."""

    def __html__(self) -> str:
        """Return the text unescaped, since browsers decode no character references in these elements."""
        return str(self)


def inlined(text: str) -> Inlined:
    """Return a script or style, escaped so that it cannot end its element."""
    return Inlined(
        text.replace("</script", "<\\/script").replace("</style", "<\\/style").replace("<!--", "<\\!--")
    )


def asset(name: str) -> str:
    """Return the text of one of the page's files."""
    return (ASSETS / name).read_text(encoding="utf-8")


def explorer_script() -> Inlined:
    """Return the explorer's script: its parts inside one function, so that they share their names."""
    parts = "\n".join(asset(name) for name in EXPLORER)
    return inlined(f'"use strict";\n(() => {{\n{parts}}})();\n')


@cache
def vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, as the installed wheel ships them."""
    import altair
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(  # type: ignore[call-arg]  # its stub lacks a default
        vl_version=".".join(altair.VEGALITE_VERSION.split(".")[:2])
    )
    return bundle


def embedded(content: Any) -> Inlined:
    """Return JSON for a script element; no text in it can end the element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Inlined(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
