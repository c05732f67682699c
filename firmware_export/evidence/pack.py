"""The files of the evidence pack."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firmware_export.board import check_programs
from firmware_export.common import files
from firmware_export.common.errors import UserError
from firmware_export.common.templating import markdown_text, render_template
from firmware_export.evidence.references import BASIS, REFERENCES
from firmware_export.evidence.statements import EXPORT, UPSETS, Topic, topics
from firmware_export.output import folder as exported

FILES = ("evidence/evidence.json", "evidence/evidence.md")
"""Relative to the exported folder."""

NO_CLAIM = "This pack claims no compliance with, and no certification to, any standard."

LIMITS = (
    "Every figure is of the host or of an emulator. Nothing here was executed on a part.",
    "TensorFlow Lite Micro itself, CMSIS-NN, compilers and the part's own software are outside this pack.",
    "Golden vectors check kernels and build. They are no integrity check: damaged weights may give the same outputs.",
    "Unchanged outputs after quantization say nothing about images that differ from the verified ones.",
)
"""Known limits of every pack."""

_UPSETS_PLACES = (UPSETS, f"upsets/{UPSETS}")


def render(contents: Mapping[str, bytes], upsets: bytes | None = None) -> dict[str, str]:
    """The files of the pack.

    Args:
        contents: the folder's files by name, among them `export.json`.
        upsets: the content of `upsets.json`; None if no campaign ran.

    Raises:
        UserError: `export.json` or `upsets.json` is not of this version.
    """
    given = {name: content for name, content in contents.items() if name not in FILES}
    if upsets is not None:
        given[UPSETS] = upsets
    try:
        sources = {name: json.loads(given[name]) for name in (EXPORT, UPSETS) if name in given}
        found = topics(sources)
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"export.json or upsets.json is of another version ({error!r}): export the model again"
        ) from error
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(given.items())}
    content = {
        "no_claim": NO_CLAIM,
        "basis": BASIS,
        "limits": LIMITS,
        "files": digests,
        "topics": list(map(_as_dict, found)),
    }
    return {FILES[0]: files.as_json(content), FILES[1]: render_template("evidence.md", {**content, "text": _text})}


def _as_dict(topic: Topic) -> dict[str, Any]:
    return {**asdict(topic), "references": [asdict(reference) for reference in REFERENCES[topic.name]]}


def _text(value: Any) -> str:
    """A value for a cell of a Markdown table."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none given"
    return markdown_text(str(value))


def write(folder: Path) -> tuple[Path, ...]:
    """Write the pack of an exported folder into it.

    Returns:
        The written files.

    Raises:
        UserError: not an exported folder, or one of its files is missing or damaged.
    """
    report = dict(check_programs.read_report(folder))
    try:
        contents = {name: (folder / name).read_bytes() for name in report["files"] if name not in FILES}
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} not found: export the model again") from error
    except (OSError, LookupError, TypeError) as error:
        path = folder / EXPORT
        raise UserError(f"{str(path)!r} lists no readable files ({error}): export the model again") from error
    campaign = next((folder / place for place in _UPSETS_PLACES if (folder / place).is_file()), None)
    report["files"] = sorted({*report["files"], *FILES})  # so that the next export replaces or removes them
    contents[EXPORT] = exported.sealed(report).encode()
    upsets = None if campaign is None else campaign.read_bytes()
    texts = {EXPORT: contents[EXPORT].decode(), **render(contents, upsets)}
    for name, text in texts.items():
        files.write_text(folder / name, text)
    return tuple(folder / name for name in FILES)
