"""Learning curves from `metrics.csv`."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_satkd.report.figures.canvas import lines

Rows = Sequence[dict[str, str]]

SCORES = {"accuracy": "accuracy", "macro_f1": "macro F1"}
"""Columns of `metrics.csv` that can select the best epoch, and their names in figures."""


def score(figure: Figure, rows: Rows, name: str) -> None:
    """A score in training and validation over the epochs.

    Args:
        figure: empty figure.
        rows: rows of one phase in `metrics.csv`.
        name: column of the score: `accuracy` or `macro_f1`.
    """
    columns = {"training": name, "validation": f"val_{name}"}
    _over_epochs(
        figure,
        rows,
        {label: [100 * float(row[column]) for row in rows] for label, column in columns.items()},
        f"{SCORES[name]} %",
    )


def shares(figure: Figure, rows: Rows, columns: dict[str, list[float]], label: str) -> None:
    """Fractions over the epochs: weights of teachers, or how often each case applied.

    Args:
        figure: empty figure.
        rows: rows of one phase in `metrics.csv`.
        columns: values in [0, 1] by name, one per epoch, as returned by `columns`.
        label: label of the vertical axis.
    """
    panel = _over_epochs(figure, rows, columns, label)
    panel.set_ylim(-0.03, 1.03)


def columns(rows: Rows, prefix: str) -> dict[str, list[float]]:
    """The non-empty columns whose names begin with `prefix`, by the rest of their names."""
    names = [name for name in rows[0] if name.startswith(prefix) and rows[0][name]] if rows else []
    return {name.removeprefix(prefix): [float(row[name]) for row in rows] for name in names}


def _over_epochs(figure: Figure, rows: Rows, columns: dict[str, list[float]], label: str) -> Axes:
    panel = figure.subplots()
    lines(panel, [int(row["epoch"]) for row in rows], columns)
    panel.set(xlabel="epoch", ylabel=label)
    # matplotlib's default ticks, but only at whole epochs.
    panel.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    return panel
