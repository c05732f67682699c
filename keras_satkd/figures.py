"""A run's figures, as PNG files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from firmware_export.files import write_with

# Okabe and Ito's colours, which the colour-blind tell apart and which differ in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

Rows = Sequence[dict[str, str]]


def draw(path: Path, size: tuple[float, float], fill: Callable[[Figure], None]) -> None:
    """Let `fill` draw on a figure of `size` inches and save it."""
    figure = Figure(figsize=size, layout="constrained")
    fill(figure)
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=120))


def learning_curves(figure: Figure, rows: Rows) -> None:
    """Training and validation accuracy of every phase, a panel each.

    Args:
        figure: empty.
        rows: of `metrics.csv`.
    """
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    panels = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    for panel, phase in zip(panels, phases, strict=True):
        chosen = [row for row in rows if row["phase"] == phase]
        epochs = [int(row["epoch"]) for row in chosen]
        for column, label, colour in (("accuracy", "training", COLOURS[0]), ("val_accuracy", "validation", COLOURS[1])):
            panel.plot(epochs, [100 * float(row[column]) for row in chosen], ".-", color=colour, label=label)
        panel.set_title(phase, fontsize=9)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy %")
    panels[-1].legend(loc="lower right")


def teacher_weights(figure: Figure, rows: Rows) -> None:
    """Mean weight of each teacher over the epochs, and how often each of the paper's cases ran where it has cases.

    Args:
        figure: empty.
        rows: of `metrics.csv`, of the one phase to show.
    """
    weights = _columns(rows, "weight_")
    cases = _columns(rows, "case_")
    groups = [("mean weight", weights)] + ([("part of the images", cases)] if cases else [])
    epochs = [int(row["epoch"]) for row in rows]
    for panel, (label, columns) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        for colour, (name, values) in zip(COLOURS, columns.items(), strict=False):
            panel.plot(epochs, values, ".-", color=colour, label=name.replace("_", " "))
        panel.set(xlabel="epoch", ylabel=label, ylim=(-0.02, 1.02))
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        # Below the panel: a case that always ran is a line along the top, where a legend would hide it.
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, frameon=False, fontsize=8)


def _columns(rows: Rows, prefix: str) -> dict[str, list[float]]:
    names = [name for name in rows[0] if name.startswith(prefix) and rows[0][name]]
    return {name.removeprefix(prefix): [float(row[name]) for row in rows] for name in names}


def confusion(figure: Figure, counts: np.ndarray, class_names: Sequence[str]) -> None:
    """Confusion matrix in per cent of each true class.

    Args:
        figure: empty.
        counts: int [C, C], true class by predicted class.
        class_names: C of them.
    """
    shares = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    panel = figure.subplots()
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    positions = range(len(class_names))
    panel.set_xticks(positions, class_names, rotation=45, ha="right", rotation_mode="anchor")
    panel.set_yticks(positions, class_names)
    panel.set(xlabel="predicted", ylabel="true")
    for true, predicted in np.argwhere(shares >= 0.5):
        share = shares[true, predicted]
        colour = "white" if share > 50 else "black"
        panel.text(predicted, true, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8)


def study(figure: Figure, summaries: Sequence[dict[str, Any]]) -> None:
    """Test accuracy of every row of the study, a panel a student; bars span one standard deviation.

    Args:
        figure: empty.
        summaries: of `comparison.summaries`.
    """
    students = list(dict.fromkeys(summary["student"] for summary in summaries))
    rows = list(dict.fromkeys(summary["row"] for summary in summaries))
    panels = figure.subplots(1, len(students), sharex=True, sharey=True, squeeze=False)[0]
    for panel, student, colour in zip(panels, students, COLOURS, strict=False):
        seeds = 0
        for summary in summaries:
            if summary["student"] == student:
                seeds = max(seeds, summary["seeds"])
                mean, deviation = summary["accuracy"]
                panel.errorbar(
                    100 * mean,
                    rows.index(summary["row"]),
                    xerr=100 * (deviation or 0),
                    fmt="o",
                    color=colour,
                    capsize=3,
                )
        panel.set(title=f"{student}, {seeds} seed{'s' * (seeds > 1)} a row", xlabel="test accuracy %")
        panel.grid(alpha=0.3)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
