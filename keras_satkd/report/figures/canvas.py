"""Canvas and style of all figures."""

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
from firmware_export.common.templating import one_line

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# The colors of Okabe and Ito, which color-blind readers can distinguish and which differ in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Markers distinguish lines without color.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

PANEL = (3.3, 2.6)
"""Width and height of a panel in inches; the width fits a phone."""

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
    """Let `fill` draw, and return a self-contained `<svg>` element for an HTML page.

    Text is converted to outlines, so its layout does not depend on the reader's fonts.

    Args:
        size: width and height in inches; the element shrinks to three quarters of this width on a narrow screen.
        fill: draws on the empty figure.
        name: unique among the page's figures; prefix of every identifier in the element.
        alt: alternative text: a description of the figure.
    """
    text = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "path", "svg.hashsalt": name}):
        # Without the date and without links to metadata vocabularies.
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        _filled(size, fill).savefig(text, format="svg", metadata=metadata, transparent=True)
    _, _, body = text.getvalue().partition("<svg ")
    _, _, body = body.partition(">")
    body = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", body)
    width, height = (72 * inches for inches in size)
    # Below three quarters of the width, the text would be unreadable, so the page scrolls the figure instead.
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
    """Plot one line per column, with different colors and markers, and a legend above the panel."""
    for position, (label, values) in enumerate(columns.items()):
        panel.plot(
            across,
            values,
            color=COLORS[position % len(COLORS)],
            marker=MARKERS[position % len(MARKERS)],
            # Later markers are smaller, so a line that is covered by another stays visible around them.
            markersize=6 - 3 * position / len(columns),
            markevery=max(1, len(across) // 12),
            label=shortened(label),
        )
    panel.grid(alpha=0.3)
    legend_above(panel, columns=2 if max(map(len, columns)) < _LONGEST_LABEL / 2 else 1)


def shortened(label: str) -> str:
    """A label of a legend, cut so that it fits a panel."""
    return verbatim(label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…")


def verbatim(name: str) -> str:
    """A name for matplotlib, which takes text between two `$` for mathematics."""
    return one_line(name).replace("$", r"\$")


def legend_above(panel: Axes, columns: int = 2) -> None:
    """Draw a legend above the axes, on the left."""
    panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)
