"""The C of the drift monitor: one header for both engines."""

import textwrap

import numpy as np

from firmware_export.common.templating import render_template
from firmware_export.drift import statistics
from firmware_export.drift.monitor import Drift
from firmware_export.drift.reference import LIMIT, STEPS
from firmware_export.rows.compile import provenance
from firmware_export.tflite.model import Model

_END = "_monitor.h"


def is_monitor(file: str) -> bool:
    """Whether a file of an export is a monitor's header, whatever its prefix."""
    return file.endswith(_END)


def render(drift: Drift, model: Model, command: str, prefix: str) -> dict[str, str]:
    """The generated file, by name; empty if there is no monitor.

    Args:
        drift: of the same model.
        model: the exported model.
        command: the command that regenerates the file.
        prefix: of its name and of every name in it.
    """
    if drift.monitor is None:
        return {}
    monitor, graph = drift.monitor, model.graph
    _, rows, columns, bands = graph.inputs[0].shape
    values = np.iinfo(np.uint8 if graph.has_unit_input else np.int8)
    tables = (monitor.reference.means, monitor.reference.deviations)
    small = (monitor.reference.divisors, monitor.lower, monitor.upper)
    meanings = statistics.meanings(bands)
    context = {
        **provenance(model, command),
        "prefix": prefix,
        "macros": prefix.upper(),
        "reason": textwrap.wrap(drift.reason, 115),
        "table_bytes": sum(table.nbytes for table in (*tables, *small)),
        "window": monitor.window,
        "rows": rows,
        "columns": columns,
        "bands": bands,
        "outputs": graph.outputs[0].size,
        "type": f"{values.dtype}_t",
        "lowest": values.min,
        "highest": values.max,
        "statistics": [(name.upper().replace(" ", "_"), meaning) for name, meaning in meanings.items()],
        "limit": LIMIT,
        "steps": STEPS,
        "means": [_numbers(row) for row in tables[0]],
        "deviations": [_numbers(row) for row in tables[1]],
        "divisors": _numbers(small[0]),
        "lower": _numbers(small[1]),
        "upper": _numbers(small[2]),
    }
    return {f"{prefix}{_END}": render_template("drift/satkd_monitor.h", context)}


def _numbers(values: np.ndarray) -> str:
    return ", ".join(map(str, values.tolist()))
