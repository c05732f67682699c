"""Proof that the generated C computes what TensorFlow Lite Micro does: compile it on this host and compare."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.templating import render_template
from firmware_export.rows import naming
from firmware_export.rows.compile import RowsModel

COMPILERS = ("gcc", "clang", "cc")
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wpedantic", "-Werror", "-O2")
_SECONDS = 300


def check_answers(rows: RowsModel, inputs: np.ndarray, outputs: np.ndarray) -> str | None:
    """Compile `rows.files`, run every input and compare every output.

    Args:
        rows: the generated text, and the report that names its prefix.
        inputs: uint8 or int8 [N, …], as `satkd_run` takes them.
        outputs: int8 [N, …], TFLM's answers.

    Returns:
        The compiler's first line of `--version`; None where no C compiler was found and nothing was compared.

    Raises:
        UserError: the compiler refuses the text.
        RuntimeError: an answer differs. That is a defect of the row engine, never the user's.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder, program = Path(name), Path(name) / "host_check"
        check = naming.rename({"host_check.c": render_template("rows/host_check.c", {})}, rows.report.prefix)
        texts = rows.files | check
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        sources = [str(folder / file) for file in texts if file.endswith(".c")]
        _run([compiler, *FLAGS, *sources, "-o", str(program)])
        found = np.frombuffer(_run([str(program)], inputs.tobytes()), np.int8)
    if not np.array_equal(found, outputs.reshape(-1)):
        differing = np.count_nonzero(found != outputs.reshape(-1)) if found.size == outputs.size else "all"
        raise RuntimeError(
            f"the row engine differs from TensorFlow Lite Micro in {differing} of {outputs.size} outputs"
        )
    return _run([compiler, "--version"]).decode(errors="replace").splitlines()[0]


def _run(command: list[str], given: bytes = b"") -> bytes:
    try:
        return subprocess.run(command, input=given, check=True, capture_output=True, timeout=_SECONDS).stdout
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = next((line for line in said if "error" in line), str(error))
        name = Path(command[0]).name
        raise UserError(f"{name} fails on the row engine's files ({reason}): try another compiler") from error
