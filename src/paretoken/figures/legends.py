"""Legends outside the panels: entries for sizes, token counts and text, under headings."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure as Drawing
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Transform

from paretoken.figures.style import Look, faces, marker_size, ramp, size_markers
from paretoken.io.text_tables import size_label

Group = tuple[str, Sequence[Artist]]
#: The V whose marker area is used for sizes in legends.
LEGEND_TOKENS = 4


def size_handles(sizes: Sequence[float], held: Sequence[float] = (), line: str = "-") -> list[Artist]:
    """Return one legend entry per size, with a ``line`` in its colour; held-out sizes are marked."""
    colours, markers = ramp(sizes), size_markers(sizes)
    handles: list[Artist] = []
    for n in sorted(set(sizes)):
        unseen = n in held
        dashed: Look = {"linestyle": "--" if unseen and line != "none" else line}
        handles.append(
            Line2D([], [], color=colours[n], marker=markers[n], **faces(colours[n]),
                   markersize=marker_size(markers[n], LEGEND_TOKENS),
                   linewidth=1.6, label=size_label(n) + " (held out)" * unseen, **dashed)
        )  # fmt: skip
    return handles


def token_handles(tokens: Sequence[float]) -> list[Artist]:
    """Return one legend entry per token count, by marker area."""
    return [
        Line2D([], [], color="0.4", marker="o", linestyle="none", **faces("0.4"),
               markersize=marker_size("o", v), label=f"{v:g}")
        for v in sorted(set(tokens))
    ]  # fmt: skip


def text_handles(lines: Sequence[str]) -> list[Artist]:
    """Return legend entries without a symbol."""
    return [Line2D([], [], linestyle="none", label=line) for line in lines]


class _Heading(HandlerBase):
    """Write a heading in place of an entry's symbol; the entry's own text only reserves space."""

    def create_artists(
        self, legend: Legend, orig_handle: Artist, xdescent: float, ydescent: float, width: float,
        height: float, fontsize: float, trans: Transform,
    ) -> list[Artist]:  # fmt: skip
        title = str(orig_handle.get_label())
        return [Text(0, 0, title, transform=trans, fontsize=fontsize, fontweight="bold")]


def side_legend(drawing: Drawing, groups: Sequence[Group]) -> None:
    """Put one legend to the right of the panels, with its groups under headings."""
    handles: list[Artist] = []
    headings: dict[int, Artist] = {}
    for title, entries in groups:
        if entries:
            headings[len(handles)] = text_handles([title])[0]
            handles += [headings[len(handles)], *entries]
    legend = drawing.legend(
        handles=handles,
        loc="outside right upper",
        handlelength=1.7,
        labelspacing=0.35,
        borderaxespad=0.2,
        handler_map={handle: _Heading() for handle in headings.values()},
    )
    for position in headings:
        legend.get_texts()[position].set_visible(False)


def bottom_legend(drawing: Drawing, handles: Sequence[Artist], columns: int) -> None:
    """Put a legend below the panels."""
    drawing.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=columns,
        handlelength=2.4,
        columnspacing=1.6,
        borderaxespad=0.2,
    )
