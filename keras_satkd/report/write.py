"""Writes a run's report: a page, a model card, and tables on the terminal."""

from rich.console import Console

from firmware_export.common.files import write_text
from firmware_export.common.tables import terminal_table
from keras_satkd.report import html, model_card, summary
from keras_satkd.run.folder import Run
from keras_satkd.run.results import ReportResult


def report(run: Run) -> ReportResult:
    """Write the page and the model card."""
    for each in (html, model_card):
        write_text(run.path(each.FILE), each.render(run))
    return ReportResult(html.FILE)


def print_table(run: Run) -> None:
    """Print the run's scores, costs and times, and where its files are."""
    console = Console()
    for table in (summary.scores(run), summary.student(run)):
        console.print(terminal_table(table.headings, table.rows))
    print_steps(run)
    console.print(f"{run.workdir}: {html.FILE}, firmware/", soft_wrap=True)


def print_steps(run: Run) -> None:
    """Print the time of each step; steps that an earlier call finished keep their times."""
    taken = run.results.seconds()
    taken["all"] = sum(taken.values())
    Console().print(terminal_table(["step", "seconds"], [[name, f"{taken[name]:,.1f}"] for name in taken]))
