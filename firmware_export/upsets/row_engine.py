"""Injections into the row engine's memory, by a C program that is compiled once for this host."""

import re
import shutil
import subprocess
from pathlib import Path

from firmware_export.board import check_programs
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text, write_bytes, write_text
from firmware_export.common.templating import render_template
from firmware_export.upsets import plan, regions, workers
from firmware_export.upsets.folder import Exported
from firmware_export.upsets.outcomes import Found
from firmware_export.upsets.regions import Layout

COMPILERS = ("clang", "gcc", "cc")
"""In order of the speed of what they make of the portable kernels."""
FLAGS = ("-std=gnu99", "-O2", "-march=native", "-DSATKD_ENGINE_KERNELS=SATKD_ENGINE_PORTABLE")
_LINK = "-Wl,--wrap=satkd_engine_compute"
_SECONDS = 300
_CHANGED = 4


def build(exported: Exported, program: Path) -> Layout:
    """Compile the program that flips bits, and ask it for the layout of its memory.

    Args:
        exported: a folder with the row engine.
        program: to be written.

    Raises:
        UserError: there is no C compiler, it rejects the folder's files, or the model is not the exported one.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise UserError(f"no C compiler on PATH ({', '.join(COMPILERS)}): install gcc or clang")
    files = check_programs.find(exported.path, Engine.ROWS)
    prefix = str(files.names["prefix"])
    model, header = (read_text(exported.path / f"{prefix}_model.{ending}") for ending in "ch")
    names = {
        "prefix": prefix,
        "macros": prefix.upper(),
        "constants": _members(model, f"{prefix}_constants_t"),
        "members": _members(header, f"{prefix}_context"),
        "input_type": "uint8_t" if f"push_row({prefix}_context *context, const uint8_t *row)" in header else "int8_t",
    }
    harness = program.with_suffix(".c")
    write_text(harness, render_template("upsets/rows_harness.c", names))
    own = (f"{prefix}_model.c", f"{prefix}_golden.c")
    sources = [str(exported.path / name) for name in files.sources if name not in own]
    words = [compiler, *FLAGS, "-I", str(exported.path), str(harness), *sources, _LINK, "-o", str(program)]
    _run(words, exported)
    titles = re.findall(r"/\* \d+: (.*?) \*/", model.partition(".layers = {")[2])
    return regions.parse(_run([str(program), "layout"], exported), titles)


def _members(text: str, type_name: str) -> list[str]:
    """The names of a structure's members."""
    body = text.partition(f"typedef struct {type_name} {{")[2].partition(f"}} {type_name};")[0]
    return re.findall(r"^ *\w+ (\w+)(?:\[\d+\])?;", body, re.MULTILINE)


def _run(words: list[str], exported: Exported) -> str:
    try:
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=_SECONDS).stdout
    except (subprocess.SubprocessError, OSError) as error:
        if getattr(error, "returncode", None) == _CHANGED:
            raise UserError(f"{str(exported.path)!r} has a changed model: export the model again") from error
        lines = (getattr(error, "stderr", None) or "").strip().splitlines()
        reason = next((line for line in lines if "error" in line), str(error))
        name, folder = Path(words[0]).name, str(exported.path)
        raise UserError(f"{name} fails on the row engine of {folder!r} ({reason}): export the model again") from error


def inject(
    exported: Exported, layout: Layout, program: Path, drawn: list[plan.Injection], *, work: Path, jobs: int
) -> list[Found]:
    """Run injections.

    Args:
        exported: the folder.
        layout: of `program`.
        program: as `build` made it.
        drawn: the injections.
        work: holds the journals.
        jobs: number of processes.
    """
    inputs = work / "inputs"
    write_bytes(inputs, exported.inputs.tobytes())
    numbered = {number: injection.line for number, injection in enumerate(drawn)}
    found = workers.run(
        numbered,
        work,
        lambda planned, journal: [str(program), "run", str(inputs), str(planned), str(journal)],
        jobs,
        f"{exported.name}, row engine",
    )
    return [found[number] for number in numbered]
