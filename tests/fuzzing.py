"""Export damaged models, each in its own processes: `python tests/fuzzing.py MODELS FIRST END [SECONDS]`.

Prints one line of JSON for each seed from FIRST to END − 1; after SECONDS, no other export begins. The damaged model
of a seed is `mutations.mutated(model, seed)`; successive seeds use successive models of the folder MODELS, in order of
their names.
"""

import hashlib
import json
import math
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import exporting
import mutations

# Imported before the forks: a fork takes milliseconds, a new process a third of a second.
from ai_edge_litert import interpreter, schema_py_generated  # noqa: F401
from tflite_micro.python.tflite_micro import runtime  # noqa: F401

from firmware_export.common import defaults
from firmware_export.common.errors import UserError, exit_on_user_error
from firmware_export.verify import sandbox

_ENGINE_DEFECT = re.compile("the row engine differs|fails on the files of the row engine")
_IMAGES = 16  # an export verifies a model on 256
_HANGS = 600  # seconds of wall time; an endless loop exceeds its processor time long before


def outcome(model: bytes) -> tuple[str, str]:
    """The outcome of an export: ("exported" | "refused" | "died" | "defect", message).

    "died" means that the sandbox crashed or timed out, which users also see as a rejected model.
    """
    returncode, stdout, stderr = _apart(lambda: sandbox.examine(model, "model"))
    try:
        sandbox.judge("model", returncode, stdout, stderr)
    except UserError as error:
        message = str(error)
        if "\n" in message or not message or "Traceback" in message:
            return "defect", f"no one-line error: {message!r}"
        return ("refused" if returncode == 2 else "died"), message
    except RuntimeError as error:
        return "defect", str(error)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "firmware"
        returncode, _, stderr = _apart(lambda: _export(model, out))
        message = stderr.decode(errors="replace").strip()
        if returncode == 0 and _said(out)["given_sha256"] == hashlib.sha256(model).hexdigest():
            engines = "both engines" if _said(out)["rows"] else "TFLM"
            return "exported", "; ".join((engines, *_said(out)["changes"]))
        if returncode == 2 and not out.exists() and len(message.splitlines()) == 1:
            return "refused", message
    return "defect", f"the export of a model that the sandbox accepted ended with {returncode}: {message}"


def _said(out: Path) -> dict:
    return json.loads((out / "export.json").read_text())


def _export(model: bytes, out: Path) -> None:
    """Export for both engines, or for TFLM if the row engine lacks an operator of the model."""
    with mock.patch.object(sandbox, "check"), mock.patch.object(defaults, "LEAST_IMAGES", _IMAGES):
        try:
            exporting.export(model, out, engine="both", command="fuzz")
        except UserError as error:
            if _ENGINE_DEFECT.search(str(error)):
                raise RuntimeError("a defect of the row engine") from error
            exporting.export(model, out, command="fuzz")


def _apart(work: Callable[[], None]) -> tuple[int, bytes, bytes]:
    """Run `work` in a limited process: exit status (or minus the signal), standard output, standard error."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = os.fork()
        if process == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            signal.alarm(_HANGS)
            sandbox.limit()
            status = 1
            try:
                exit_on_user_error(work)
            except SystemExit as end:
                status = end.code
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        returncode = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return returncode, os.pread(out.fileno(), 1 << 16, 0), os.pread(err.fileno(), 1 << 16, 0)


def main() -> None:
    """Print the outcome of every seed."""
    folder, first, end, *seconds = sys.argv[1:]
    deadline = time.monotonic() + float(seconds[0]) if seconds else math.inf
    models = [path.read_bytes() for path in sorted(Path(folder).glob("*.tflite"))]
    for seed in range(int(first), int(end)):
        start = time.perf_counter()
        if time.monotonic() > deadline:
            break
        kind, message = outcome(mutations.mutated(models[seed % len(models)], seed))
        line = {"seed": seed, "outcome": kind, "message": message, "seconds": time.perf_counter() - start}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
