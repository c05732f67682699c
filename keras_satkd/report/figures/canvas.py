"""The canvas and the style of all figures."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from firmware_export.common.files import write_with

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Okabe and Ito's colours, which the colour-blind tell apart and which differ in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Lines are told apart without colour too.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

PANEL = (3.3, 2.6)
"""Width and height of a panel in inches: as wide as a telephone."""

STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.fontsize": 8,
    "lines.markersize": 4,
    "lines.linewidth": 1.4,
}
"""matplotlib's settings for all figures."""

_LONGEST_LABEL = 28

Fill = Callable[[Figure], None]


def save_png(path: Path, size: tuple[float, float], fill: Fill) -> None:
    """Let `fill` draw on a figure of `size` inches and save it."""
    with matplotlib.rc_context(STYLE):
        figure = _filled(size, fill)
        write_with(path, lambda temporary: figure.savefig(temporary, dpi=120))


def svg(size: tuple[float, float], fill: Fill, name: str, alt: str) -> str:
    """Let `fill` draw, as an `<svg>` element that stands on its own in an HTML page.

    Letters are outlines, so that they are where they were laid out whatever fonts a reader has.

    Args:
        size: in inches; the element is at most so wide, and a quarter narrower where there is less room.
        fill: draws on the empty figure.
        name: unique among the page's figures; it begins every identifier in the element.
        alt: what the picture shows, for those who do not see it.
    """
    text = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "path", "svg.hashsalt": name}):
        # Neither the hour nor links to vocabularies of metadata.
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        _filled(size, fill).savefig(text, format="svg", metadata=metadata, transparent=True)
    _, _, body = text.getvalue().partition("<svg ")
    _, _, body = body.partition(">")
    body = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", body)
    width, height = (72 * inches for inches in size)
    # Narrower by more than a quarter its letters could no longer be read: the page then scrolls it.
    widths = f"width: {width:g}pt; min-width: {0.75 * width:g}pt"
    return (
        f'<svg role="img" viewBox="0 0 {width:g} {height:g}" style="{widths}" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink"><title>{escape(alt)}</title>{body}'
    )


def _filled(size: tuple[float, float], fill: Fill) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    fill(figure)
    return figure


def lines(panel: Axes, across: Sequence[float], columns: Mapping[str, Sequence[float]]) -> None:
    """A line a column, told apart by colour and marker, with a legend above the panel, where it hides nothing."""
    for position, (label, values) in enumerate(columns.items()):
        panel.plot(
            across,
            values,
            color=COLOURS[position % len(COLOURS)],
            marker=MARKERS[position % len(MARKERS)],
            # A line that covers another lets it be seen around its smaller markers.
            markersize=6 - 3 * position / len(columns),
            markevery=max(1, len(across) // 12),
            label=label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…",
        )
    panel.grid(alpha=0.3)
    legend_above(panel, columns=2 if max(map(len, columns)) < _LONGEST_LABEL / 2 else 1)


def legend_above(panel: Axes, columns: int = 2) -> None:
    """A legend outside the axes, on the left."""
    panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)
