"""Figure of the rows of a study."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_satkd.report.figures.canvas import COLORS


def rows(figure: Figure, summaries: Sequence[dict[str, Any]]) -> None:
    """Test accuracy of every row of the study, with one panel per student.

    Gray spans the 95 % interval for this number of test images (normal approximation of the binomial); a bar is one
    standard deviation over the seeds to each side.

    Args:
        figure: empty figure.
        summaries: result of `study.results.summaries`.
    """
    students = list(dict.fromkeys(summary["student"] for summary in summaries))
    rows = list(dict.fromkeys(summary["row"] for summary in summaries))
    panels = figure.subplots(1, len(students), sharex=True, sharey=True, squeeze=False)[0]
    for panel, student, color in zip(panels, students, COLORS, strict=False):
        found = [summary for summary in summaries if summary["student"] == student]
        places = [rows.index(summary["row"]) for summary in found]
        means = np.array([summary["accuracy"][0] for summary in found])
        chance = 1.96 * np.sqrt(means * (1 - means) / [summary["images"] for summary in found])
        deviations = np.array([summary["accuracy"][1] or 0.0 for summary in found])
        panel.barh(places, 200 * chance, 0.3, 100 * (means - chance), color="0.87")
        panel.errorbar(100 * means, places, xerr=100 * deviations, fmt="o", color=color, capsize=3)
        counts = sorted({summary["seeds"] for summary in found})
        seeds = " or ".join(str(count) for count in counts) + (" seed" if counts == [1] else " seeds")
        panel.set(title=f"{student}, {seeds} per row", xlabel="test accuracy %")
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
        panel.use_sticky_edges = False
        panel.locator_params(axis="x", nbins=6)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    figure.supxlabel(
        "gray: 95 % interval for this number of test images; bars: standard deviation over seeds", fontsize="small"
    )
