"""The model card of the exported student: one page of Markdown beside its files."""

from firmware_export.common.tables import markdown_table
from firmware_export.common.templating import render_template
from keras_satkd import __version__
from keras_satkd.config_io import command
from keras_satkd.report import parts, summary
from keras_satkd.run.artifacts import MODEL_CARD_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA, INT8

FILE = MODEL_CARD_FILE


def render(run: Run) -> str:
    """The card's text."""
    tables = {
        "scores": summary.scores(run),
        "corruptions": summary.corruptions(run),
        "costs": summary.costs(run),
        "parts": parts.table(run),
    }
    optional = {each.__name__: each(run) for each in (summary.pgd, summary.camera, summary.risk, summary.drift)}
    tables |= {name: table for name, table in optional.items() if table is not None}
    context = {
        "title": summary.title(run),
        "config": run.config,
        "data": run.results[DATA],
        "pseudo_labels": summary.pseudo_labels(run),
        "teachers": summary.teachers(run),
        "firmware": summary.firmware(run),
        "threshold": summary.threshold(run),
        "sensor": summary.sensor(run),
        "samples": summary.samples(run),
        "kind": "RGB images" if summary.samples(run) is None else "images of several bands or more bits than 8",
        "captions": {name: table.caption for name, table in tables.items()},
        "tables": {name: markdown_table(table.headings, table.rows) for name, table in tables.items()},
        "command": command(run.config, "keras_satkd.distill"),
        "version": __version__,
        "int8_file": run.results[INT8].file,
    }
    return render_template(FILE, context, package="keras_satkd.report")
