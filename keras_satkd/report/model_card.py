"""The exported student in a page of Markdown, to lie beside its files."""

from firmware_export.rendering import render_template
from keras_satkd import __version__, summary
from keras_satkd.config import command
from keras_satkd.run import Run
from keras_satkd.tables import markdown_table

FILE = "model_card.md"


def render(run: Run) -> str:
    """The card's text."""
    tables = {name: getattr(summary, name)(run) for name in ("scores", "noise", "costs", "parts")}
    context = {
        "title": summary.title(run),
        "config": run.config,
        "data": run.results["data"],
        "teachers": summary.teachers(run),
        "firmware": summary.firmware(run),
        "captions": {name: table.caption for name, table in tables.items()},
        "tables": {name: markdown_table(table.headings, table.rows) for name, table in tables.items()},
        "command": command(run.config, "keras_satkd.distill"),
        "version": __version__,
        "int8_file": run.results["int8"]["file"],
    }
    return render_template(FILE, context, package="keras_satkd")
