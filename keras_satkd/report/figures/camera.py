"""What a model withstands of a camera: every disturbance of the suite at each of its severities."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

_CELL = (0.44, 0.34)
"""Width and height in inches of a severity with its accuracy."""


def size(kinds: Mapping[str, Any]) -> tuple[float, float]:
    """Inches that `accuracies` of so many kinds needs."""
    columns = max(len(kind["severities"]) for kind in kinds.values())
    return 2.0 + _CELL[0] * columns, 0.5 + _CELL[1] * len(kinds)


def accuracies(figure: Figure, kinds: Mapping[str, Any], held_out: tuple[str, ...]) -> None:
    """A row a kind of disturbance, from healthy to poor: the severity above, the accuracy in per cent below.

    Args:
        figure: empty, of `size`.
        kinds: as in the result of `evaluation.camera.suite`.
        held_out: groups that no training draws from; their kinds are marked with an asterisk.
    """
    panel = figure.subplots()
    columns = max(len(kind["severities"]) for kind in kinds.values())
    rows = [kind["accuracy"] + [float("nan")] * (columns - len(kind["accuracy"])) for kind in kinds.values()]
    panel.imshow([[100 * share for share in row] for row in rows], cmap="RdYlBu", vmin=40, vmax=100, aspect="auto")
    for row, kind in enumerate(kinds.values()):
        for column, (severity, share) in enumerate(zip(kind["severities"], kind["accuracy"], strict=True)):
            colour = "white" if share < 0.48 or share > 0.9 else "black"
            text = f"{severity:g}\n{100 * share:.1f}"
            panel.text(column, row, text, ha="center", va="center", color=colour, fontsize=7, linespacing=1.1)
    labels = [kind["unit"] + (" *" if kind["group"] in held_out else "") for kind in kinds.values()]
    panel.set_yticks(range(len(kinds)), labels, fontsize=8)
    panel.set_xticks([])
    panel.set_xlabel("* never trained on", fontsize=8, loc="left")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
