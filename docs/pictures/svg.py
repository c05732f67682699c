"""A few shapes as SVG text: pictures of boxes, arrows and words that any viewer draws, with nothing to fetch."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

# Okabe and Ito's colors, as in `keras_satkd.report.figures.canvas`; every shape also has a word or its own outline.
BLUE, ORANGE, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
INK, GREY, PAPER = "#1f2328", "#57606a", "#ffffff"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', 'Liberation Sans', sans-serif"


class Picture:
    """A picture of `width` by `height` units on a white card, which is legible on light and dark pages alike."""

    def __init__(self, width: int, height: int, alt: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="{_FONT}" font-size="14" fill="{INK}">',
            f"<title>{escape(alt)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" '
            f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/></marker></defs>',
        ]
        self.box(0.5, 0.5, width - 1, height - 1, fill=PAPER, outline="#d0d7de", radius=10)

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: str, outline: str = INK, radius: float = 0
    ) -> None:
        """A rectangle; `x` and `y` are its upper left corner's."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" fill="{fill}" '
            f'stroke="{outline}"/>'
        )

    def text(
        self, x: float, y: float, *lines: str, size: int = 14, color: str = INK, at: str = "start", bold: bool = False
    ) -> None:
        """Lines of words below each other; `at` is start, middle or end."""
        weight = ' font-weight="600"' if bold else ""
        for number, line in enumerate(lines):
            self._parts.append(
                f'<text x="{x:g}" y="{y + 1.3 * size * number:g}" font-size="{size}" fill="{color}" '
                f'text-anchor="{at}"{weight}>{escape(line)}</text>'
            )

    def arrow(self, *points: tuple[float, float], color: str = GREY) -> None:
        """A line through `points` with a head at its end."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" marker-end="url(#head)"/>'
        )

    def image(self, x: float, y: float, side: float, pixels: np.ndarray) -> None:
        """A photograph: uint8 [S, S, 3], `side` units wide."""
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        data = base64.b64encode(stream.getvalue()).decode()
        self._parts.append(
            f'<image x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" href="data:image/png;base64,{data}"/>'
        )

    def render(self) -> str:
        """The file's text."""
        return "\n".join([*self._parts, "</svg>\n"])
