"""`python docs/students/pareto.py RUN …`: draw accuracy against flash, RAM and instructions, one point a student.

Each RUN is a finished folder of `python -m keras_satkd.distill --student NAME`; its student must be in `costs.json`,
which `renew.py` writes. The picture is `pareto.png` beside this file, its points `pareto.json`. The accuracy is the
exported int8 model's on the test images, and the bar its 95 % interval (normal approximation of the binomial).
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from firmware_export.common.errors import UserError, exit_on_user_error
from firmware_export.common.files import read_text, write_json
from keras_satkd.report.figures.canvas import save_png
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import TEST

HERE = Path(__file__).parent
COSTS, POINTS, PICTURE = HERE / "costs.json", HERE / "pareto.json", HERE / "pareto.png"


def point(run: Run, costs: Mapping[str, Any]) -> dict[str, Any]:
    """A student's name, accuracy with its interval in percent, and costs on a Cortex-M4.

    Raises:
        UserError: the run is not finished, or its student's costs were not measured.
    """
    name = run.config.student
    if TEST not in run.results:
        raise UserError(f"{run.workdir} has no test results: repeat its command until it is finished")
    if name not in costs:
        raise UserError(f"{run.workdir} trained {name!r}, which costs.json lacks: run docs/students/renew.py {name}")
    cost, test = costs[name], run.results[TEST]
    accuracy, images = test.scores["int8"]["accuracy"], sum(map(sum, test.confusion))
    return {
        "student": name,
        "accuracy": 100 * accuracy,
        "interval": 196 * math.sqrt(accuracy * (1 - accuracy) / images),
        "constants in flash, kB": cost["constants"] / 1000,
        "RAM, kB": cost["ram"] / 1000,
        "M instructions, Cortex-M4": cost["instructions"]["cortex-m4"] / 1e6,
    }


def draw(figure: Figure, points: Sequence[Mapping[str, Any]]) -> None:
    """One panel for each cost.

    Args:
        figure: empty.
        points: results of `point`.
    """
    costs = [key for key in points[0] if key not in ("student", "accuracy", "interval")]
    panels = figure.subplots(1, len(costs), sharey=True)
    for panel, cost in zip(panels, costs, strict=True):
        for each in points:
            panel.errorbar(each[cost], each["accuracy"], yerr=each["interval"], fmt="o", color="C0", capsize=3)
            top = (each[cost], each["accuracy"] + each["interval"])
            panel.annotate(each["student"], top, xytext=(0, 3), textcoords="offset points", ha="center", fontsize=7)
        panel.set(xlabel=cost)
        panel.set_xlim(0, 1.15 * max(each[cost] for each in points))
        panel.margins(y=0.12)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("test accuracy of the int8 model, %")


def main() -> None:
    """Draw the runs of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", type=Path)
    costs = json.loads(read_text(COSTS))
    points = [point(Run.open(folder), costs) for folder in parser.parse_args().runs]
    write_json(POINTS, points)
    save_png(PICTURE, (9, 3), lambda figure: draw(figure, points))


if __name__ == "__main__":
    exit_on_user_error(main)
