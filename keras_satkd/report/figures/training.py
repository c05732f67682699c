"""Learning curves from `metrics.csv`."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_satkd.report.figures.canvas import lines

Rows = Sequence[dict[str, str]]


def accuracy(figure: Figure, rows: Rows) -> None:
    """Training and validation accuracy over the epochs.

    Args:
        figure: empty.
        rows: of `metrics.csv`, of one phase.
    """
    columns = {"training": "accuracy", "validation": "val_accuracy"}
    _over_epochs(
        figure,
        rows,
        {label: [100 * float(row[column]) for row in rows] for label, column in columns.items()},
        "accuracy %",
    )


def shares(figure: Figure, rows: Rows, columns: dict[str, list[float]], label: str) -> None:
    """Parts of a whole over the epochs: weights of teachers, or how often each case ran.

    Args:
        figure: empty.
        rows: of `metrics.csv`, of one phase.
        columns: values in [0, 1], one an epoch, by name; as `columns` gives them.
        label: of the vertical axis.
    """
    panel = _over_epochs(figure, rows, columns, label)
    panel.set_ylim(-0.03, 1.03)


def columns(rows: Rows, prefix: str) -> dict[str, list[float]]:
    """The columns whose names begin with `prefix` and that this phase fills, by the rest of their names."""
    names = [name for name in rows[0] if name.startswith(prefix) and rows[0][name]] if rows else []
    return {name.removeprefix(prefix): [float(row[name]) for row in rows] for name in names}


def _over_epochs(figure: Figure, rows: Rows, columns: dict[str, list[float]], label: str) -> Axes:
    panel = figure.subplots()
    lines(panel, [int(row["epoch"]) for row in rows], columns)
    panel.set(xlabel="epoch", ylabel=label)
    # As matplotlib chooses its marks, but there is no half epoch.
    panel.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    return panel
