"""Accuracy of a model under every disturbance of the suite, at each severity."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

_CELL = (0.44, 0.34)
"""Width and height in inches of the cell of one severity."""


def size(kinds: Mapping[str, Any]) -> tuple[float, float]:
    """Width and height in inches of the figure that `accuracies` draws."""
    columns = max(len(kind["severities"]) for kind in kinds.values())
    return 2.0 + _CELL[0] * columns, 0.5 + _CELL[1] * len(kinds)


def accuracies(figure: Figure, kinds: Mapping[str, Any], held_out: tuple[str, ...]) -> None:
    """One row per kind of disturbance, from healthy to poor, with severity and accuracy in percent in each cell.

    Args:
        figure: empty, of `size`.
        kinds: as in the result of `evaluation.camera.suite`.
        held_out: groups that training never uses; their kinds are marked with an asterisk.
    """
    panel = figure.subplots()
    columns = max(len(kind["severities"]) for kind in kinds.values())
    rows = [kind["accuracy"] + [float("nan")] * (columns - len(kind["accuracy"])) for kind in kinds.values()]
    panel.imshow([[100 * share for share in row] for row in rows], cmap="RdYlBu", vmin=40, vmax=100, aspect="auto")
    for row, kind in enumerate(kinds.values()):
        for column, (severity, share) in enumerate(zip(kind["severities"], kind["accuracy"], strict=True)):
            color = "white" if share < 0.48 or share > 0.9 else "black"
            text = f"{severity:g}\n{100 * share:.1f}"
            panel.text(column, row, text, ha="center", va="center", color=color, fontsize=7, linespacing=1.1)
    labels = [kind["unit"] + (" *" if kind["group"] in held_out else "") for kind in kinds.values()]
    panel.set_yticks(range(len(kinds)), labels, fontsize=8)
    panel.set_xticks([])
    panel.set_xlabel("* never in training", fontsize=8, loc="left")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
