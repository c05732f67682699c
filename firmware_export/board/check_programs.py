"""Which programs try out an exported folder on a microcontroller: one for each engine that it holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.common import defaults
from firmware_export.common.c_text import check_symbol, namespace
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.rows import naming

REMEDY = "give a folder that python -m firmware_export wrote"


@dataclass(frozen=True)
class Program:
    """What is compiled of a folder, and what tries it."""

    sources: tuple[str, ...]
    """The folder's C++ or C."""
    headers: tuple[str, ...]
    """The folder's, which these need."""
    main: str
    """The template of what tries them."""
    names: Mapping[str, str]
    """What that template asks for."""


def engines(folder: Path) -> tuple[Engine, ...]:
    """The engines that a folder holds, each by itself.

    Raises:
        UserError: no exported folder.
    """
    said = _read(folder)
    has_tflm = not said.get("rows") or "model_data.cc" in said.get("files", ())
    return (*([Engine.TFLM] if has_tflm else []), *([Engine.ROWS] if said.get("rows") else []))


def find(folder: Path, engine: Engine) -> Program:
    """The program for one engine of a folder.

    Args:
        folder: as `firmware_export` writes it.
        engine: one of `engines(folder)`.

    Raises:
        UserError: no exported folder, or one that lacks the engine or a file of it.
    """
    said = _read(folder)
    if engine not in engines(folder):
        raise UserError(f"folder {str(folder)!r} holds nothing for the engine {engine}: export the model for it")
    program = _rows(said) if engine.has_rows else _tflm(said)
    missing = [name for name in (*program.sources, *program.headers) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"folder {str(folder)!r} lacks {', '.join(missing)}: export the model again")
    return program


def _tflm(said: Mapping[str, Any]) -> Program:
    """`model_ops.h` and the classifier need TensorFlow Lite Micro, and are left out."""
    return Program(
        sources=("model_data.cc", "integrity.cc", "golden_vectors.cc"),
        headers=("golden_vectors.h", "integrity.h", "model_data.h"),
        main="main.cc",
        names={"symbol": said["symbol"], "namespace": namespace(said["symbol"])},
    )


def _rows(said: Mapping[str, Any]) -> Program:
    prefix = _prefix(said)
    names = ("satkd_model.c", "satkd_golden.c", "satkd_model.h", "satkd_golden.h")
    files = tuple(naming.file_name(name, prefix) for name in names)
    return Program(sources=files[:2], headers=files[2:], main="rows_main.cc", names={"prefix": prefix})


def _prefix(said: Mapping[str, Any]) -> str:
    prefix: str = said["rows"].get("prefix", defaults.ENGINE_PREFIX)
    return prefix


def _read(folder: Path) -> Mapping[str, Any]:
    """What `export.json` says, with names that can be put into C."""
    if not folder.is_dir():
        raise UserError(f"folder {str(folder)!r} not found: {REMEDY}")
    path = folder / "export.json"
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check_symbol(said["symbol"])
        if said.get("rows"):
            naming.check_prefix(_prefix(said))
    except FileNotFoundError as error:
        raise UserError(f"folder {str(folder)!r} holds no export.json: {REMEDY}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        raise UserError(f"{str(path)!r} names no symbol: {REMEDY}") from error
    return said
