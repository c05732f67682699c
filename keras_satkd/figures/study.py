"""What the rows of a study differ in."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from keras_satkd.figures.canvas import COLOURS


def rows(figure: Figure, summaries: Sequence[dict[str, Any]]) -> None:
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
