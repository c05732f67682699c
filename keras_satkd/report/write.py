"""Writes the report of a run: HTML page, model card, and tables on the terminal."""

from rich.console import Console

from firmware_export.common.files import write_text
from firmware_export.common.tables import terminal_table
from keras_satkd.report import html, model_card, summary
from keras_satkd.run.folder import Run
from keras_satkd.run.results import ReportResult


def report(run: Run) -> ReportResult:
    """Write the HTML page and the model card."""
    for each in (html, model_card):
        # Names of image files need not be UTF-8.
        text = each.render(run).encode("utf-8", "backslashreplace").decode()
        write_text(run.path(each.FILE), text)
    return ReportResult(html.FILE)


def print_table(run: Run) -> None:
    """Print the run's scores, costs and times, and the paths of its files."""
    console = Console()
    for table in (summary.scores(run), summary.student(run)):
        console.print(terminal_table(table.headings, table.rows))
    print_steps(run)
    console.print(f"{run.workdir}: {html.FILE}, firmware/", soft_wrap=True)


def print_steps(run: Run) -> None:
    """Print the time of each step, including steps that an earlier call finished."""
    taken = run.results.seconds()
    taken["all"] = sum(taken.values())
    Console().print(terminal_table(["step", "seconds"], [[name, f"{taken[name]:,.1f}"] for name in taken]))
