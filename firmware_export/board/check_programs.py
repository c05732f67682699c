"""The programs that check an exported folder on a microcontroller: one per engine in the folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.common import defaults
from firmware_export.common.c_text import check_prefix, check_symbol, namespace
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.output import folder as exported
from firmware_export.rows import engine

REMEDY = "give a folder that python -m firmware_export wrote"


@dataclass(frozen=True)
class Program:
    """The files of a folder to compile, and the program that checks them."""

    sources: tuple[str, ...]
    """C++ or C files of the folder."""
    headers: tuple[str, ...]
    """Headers of the folder that the sources include."""
    main: str
    """The template of the checking program."""
    names: Mapping[str, str | int]
    """The variables of that template."""


def engines(folder: Path) -> tuple[Engine, ...]:
    """The engines whose files a folder contains: `TFLM`, `ROWS`, or these two.

    Raises:
        UserError: not an exported folder.
    """
    return _engines(read_report(folder))


def _engines(report: Mapping[str, Any]) -> tuple[Engine, ...]:
    has_tflm = not report.get("rows") or "model_data.cc" in report.get("files", ())
    return (*([Engine.TFLM] if has_tflm else []), *([Engine.ROWS] if report.get("rows") else []))


def find(folder: Path, engine: Engine) -> Program:
    """The program for one engine of a folder.

    Args:
        folder: as `firmware_export` writes it.
        engine: one of `engines(folder)`.

    Raises:
        UserError: not an exported folder, or the engine or one of its files is missing.
    """
    report = read_report(folder)
    if engine not in _engines(report):
        raise UserError(f"folder {str(folder)!r} has no files for engine {engine}: export the model for this engine")
    program = _rows(report) if engine.has_rows else _tflm(report)
    missing = [name for name in (*program.sources, *program.headers) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"folder {str(folder)!r} lacks {', '.join(missing)}: export the model again")
    return program


def _tflm(report: Mapping[str, Any]) -> Program:
    """Without `model_ops.h` and the classifier, which need TensorFlow Lite Micro.

    Beside the row engine's files, the integrity checks and golden vectors use these.
    """
    rows = _rows(report) if report.get("rows") else None
    return Program(
        sources=("model_data.cc", "integrity.cc", "golden_vectors.cc", *(rows.sources if rows else ())),
        headers=("golden_vectors.h", "integrity.h", "model_data.h", *(rows.headers if rows else ())),
        main="main.cc",
        names={"symbol": report["symbol"], "namespace": namespace(report["symbol"])},
    )


def _rows(report: Mapping[str, Any]) -> Program:
    prefix = _prefix(report)
    names = [*(f"{prefix}_{name}" for name in (*engine.MODEL_FILES, *engine.GOLDEN_FILES)), *engine.files()]
    return Program(
        sources=tuple(name for name in names if name.endswith(".c")),
        headers=tuple(name for name in names if name.endswith(".h")),
        main="rows_main.cc",
        names={"prefix": prefix},
    )


def _prefix(report: Mapping[str, Any]) -> str:
    prefix: str = report["rows"].get("prefix", defaults.ENGINE_PREFIX)
    return prefix


def read_report(folder: Path) -> Mapping[str, Any]:
    """The content of `export.json`, whose names are checked to be valid in C.

    Raises:
        UserError: not an exported folder, or one of its files is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"folder {str(folder)!r} not found: {REMEDY}")
    try:
        report = exported.read_whole(folder)
    except FileNotFoundError as error:
        raise UserError(f"folder {str(folder)!r} has no {exported.REPORT_FILE}: {REMEDY}") from error
    try:
        check_symbol(report["symbol"])
        if report.get("rows"):
            check_prefix(_prefix(report))
    except (ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        raise UserError(f"{str(folder / exported.REPORT_FILE)!r} has no valid symbol: {REMEDY}") from error
    return report
