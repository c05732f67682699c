"""An export with its settings as plain keywords; it measures no bounds unless told to, which takes seconds."""

import dataclasses
import json
from pathlib import Path

from firmware_export import export as exporter
from firmware_export.common import digests
from firmware_export.common.engine import Engine
from firmware_export.output.folder import REPORT_FILE, sealed
from firmware_export.output.render import Settings
from firmware_export.verify.verify import Evidence

COMMAND = "python -m firmware_export student.tflite --out firmware"
_EVIDENCE = {field.name for field in dataclasses.fields(Evidence)}
_SETTINGS = {field.name for field in dataclasses.fields(Settings)}


def export(model, folder, **given):
    """Export a `Model` or bytes; keywords are fields of `Evidence` and `Settings`, or parameters of `export`."""
    given = {"images": None, "command": COMMAND, "measures_bounds": False} | given
    given |= {name: tuple(given[name]) for name in ("class_names", "formats") if name in given}
    given |= {"engine": Engine(given["engine"])} if "engine" in given else {}
    evidence = Evidence(**{name: value for name, value in given.items() if name in _EVIDENCE})
    settings = Settings(**{name: value for name, value in given.items() if name in _SETTINGS})
    own = {name: value for name, value in given.items() if name not in _EVIDENCE | _SETTINGS}
    return exporter.export(getattr(model, "content", model), folder, evidence, settings, **own)


def resealed(folder: Path) -> Path:
    """An exported folder with the digests of its files as they are now."""
    report = json.loads((folder / REPORT_FILE).read_text())
    report["digests"] = {name: digests.of(folder / name) for name in report["digests"]}
    (folder / REPORT_FILE).write_text(sealed(report))
    return folder
