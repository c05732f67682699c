"""What a run leaves to read: a page, a model card, and the table at its end."""

from rich.console import Console

from firmware_export.common.files import write_text
from firmware_export.common.tables import terminal_table
from keras_satkd.report import html, model_card, summary
from keras_satkd.run.folder import Run


def report(run: Run) -> dict:
    """Write the page and the model card."""
    for each in (html, model_card):
        write_text(run.path(each.FILE), each.render(run))
    return {"file": html.FILE}


def print_table(run: Run) -> None:
    """The run's numbers, and where to read on, on the terminal."""
    console = Console()
    for table in (summary.scores(run), summary.student(run)):
        console.print(terminal_table(table.headings, table.rows))
    print_steps(run)
    console.print(f"{run.workdir}: {html.FILE}, firmware/", soft_wrap=True)


def print_steps(run: Run) -> None:
    """How long each step took, on the terminal; steps that an earlier call finished took what they took there."""
    taken = {name: step["seconds"] for name, step in run.results.items()}
    taken["all"] = sum(taken.values())
    Console().print(terminal_table(["step", "seconds"], [[name, f"{taken[name]:,.1f}"] for name in taken]))
