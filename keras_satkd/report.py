"""What a run leaves to read: figures, a Markdown report, and the table at its end."""

import numpy as np
from rich.console import Console

from firmware_export.files import write_text
from keras_satkd import figures
from keras_satkd.run import Run
from keras_satkd.tables import markdown_table, terminal_table
from keras_satkd.training import read_metrics

MODELS = {"float": "float", "ptq": "int8 by PTQ", "qat": "QAT", "int8": "int8, exported"}


def report(run: Run) -> dict:
    """Draw the figures and write `report.md`."""
    rows = read_metrics(run.path("metrics.csv"))
    phases = len({row["phase"] for row in rows})
    if rows:
        figures.draw(
            run.path("figures", "learning_curves.png"),
            (3.2 * phases + 0.6, 3.2),
            lambda figure: figures.learning_curves(figure, rows),
        )
    distilled = [row for row in rows if row["phase"] == "distillation"]
    if distilled and any(name.startswith("weight_") and distilled[0][name] for name in distilled[0]):
        figures.draw(
            run.path("figures", "teacher_weights.png"),
            (9, 3.8),
            lambda figure: figures.teacher_weights(figure, distilled),
        )
    counts = np.array(run.results["test"]["confusion"])
    figures.draw(
        run.path("figures", "confusion.png"),
        (6.5, 6),
        lambda figure: figures.confusion(figure, counts, run.results["data"]["classes"]),
    )
    write_text(run.path("report.md"), _markdown(run))
    return {"file": "report.md"}


def summary(run: Run) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of the two tables: models with their test scores, and what the exported one costs."""
    test, student, firmware = run.results["test"], run.results["distillation"], run.results["firmware"]
    names = [name for name in test if name.startswith("teacher ")] + [name for name in MODELS if name in test]
    models = [
        [
            MODELS.get(name, name),
            *(f"{100 * test[name][key]:.2f}" for key in ("accuracy", "macro_precision", "macro_recall", "macro_f1")),
            f"{100 * test[name]['ece']:.2f}",
        ]
        for name in names
    ]
    costs = [
        ["trainable parameters", f"{student['parameters']:,}"],
        ["MACs an image", f"{student['macs']:,}"],
        ["flash for the model, bytes", f"{firmware['flash_bytes']:,}"],
        ["arena with margin, bytes", f"{firmware['arena_bytes']:,}"],
    ]
    return models, costs


HEADINGS = ["test %", "accuracy", "precision", "recall", "F1", "ECE"]
"""Precision, recall and F1 are macro means; ECE is the expected calibration error."""


def print_table(run: Run) -> None:
    """The run's numbers, on the terminal."""
    models, costs = summary(run)
    console = Console()
    for headings, rows in ((HEADINGS, models), ([run.config.student, ""], costs)):
        console.print(terminal_table(headings, rows))
    console.print(
        f"{run.workdir}: {sum(step['seconds'] for step in run.results.values()):.0f} s; report.md, firmware/",
        soft_wrap=True,
    )


def _markdown(run: Run) -> str:
    models, costs = summary(run)
    data = run.results["data"]
    parts = [
        f"# {run.config.student} on {run.config.data.source.rsplit('/', 1)[-1]}",
        f"{data['train']} images trained, {data['validation']} chose, {data['test']} tested once. "
        f"Split SHA-256 `{data['split_sha256']}`.",
        markdown_table(HEADINGS, models),
        markdown_table([run.config.student, ""], costs),
    ]
    for name in ("learning_curves", "teacher_weights", "confusion"):
        if run.path("figures", f"{name}.png").exists():
            parts.append(f"![{name.replace('_', ' ')}](figures/{name}.png)")
    steps = [[name, f"{step['seconds']:.0f}"] for name, step in run.results.items()]
    parts.append(markdown_table(["step", "seconds"], steps))
    return "\n\n".join(parts) + "\n"
