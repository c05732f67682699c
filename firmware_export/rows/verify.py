"""Compile the generated C on this host, and compare its outputs with those of TensorFlow Lite Micro."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.common.templating import render_template
from firmware_export.rows.compile import RowsModel

COMPILERS = ("gcc", "clang", "cc")
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wpedantic", "-Werror", "-O2")
_SECONDS = 300


class DifferenceError(RuntimeError):
    """Outputs of the row engine differ from TensorFlow Lite Micro's: a defect of the row engine."""

    def __init__(self, message: str, images: np.ndarray) -> None:
        """Keep the indices of the images that differ, int [M]."""
        super().__init__(message)
        self.images = images


@step("compiling the row engine and comparing its outputs")
def check_answers(rows: RowsModel, inputs: np.ndarray, outputs: np.ndarray) -> str | None:
    """Compile `rows.files`, run every input and compare every output.

    Args:
        rows: the generated files, and the report with their prefix.
        inputs: uint8 or int8 [N, …], as the input of `satkd_run`.
        outputs: int8 [N, …], those of TFLM.

    Returns:
        First line of the compiler's `--version`; None if no C compiler was found and nothing was compared.

    Raises:
        UserError: the compiler rejects the generated C.
        DifferenceError: an output differs.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder, program = Path(name), Path(name) / "host_check"
        prefix = rows.report.prefix
        check = render_template("rows/host_check.c", {"prefix": prefix, "macros": prefix.upper()})
        texts = rows.files | {"host_check.c": check}
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        sources = [str(folder / file) for file in texts if file.endswith(".c")]
        _run([compiler, *FLAGS, *sources, "-o", str(program)])
        found = np.frombuffer(_run([str(program)], inputs.tobytes()), np.int8)
    if not np.array_equal(found, outputs.reshape(-1)):
        is_wrong = found.reshape(len(outputs), -1) != outputs.reshape(len(outputs), -1)
        raise DifferenceError(
            f"the row engine differs from TensorFlow Lite Micro in {np.count_nonzero(is_wrong)} of {outputs.size} "
            "outputs",
            np.flatnonzero(is_wrong.any(axis=1)),
        )
    return _run([compiler, "--version"]).decode(errors="replace").splitlines()[0]


def _run(command: list[str], given: bytes = b"") -> bytes:
    try:
        return subprocess.run(command, input=given, check=True, capture_output=True, timeout=_SECONDS).stdout
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"{Path(command[0]).name} took more than {_SECONDS} s for the row engine: make the model smaller, or use "
            "--engine tflm"
        ) from error
    except (subprocess.SubprocessError, OSError) as error:
        stderr = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = next((line for line in stderr if "error" in line), str(error))
        name = Path(command[0]).name
        raise UserError(f"{name} fails on the files of the row engine ({reason}): try another compiler") from error
