"""Run a model in a separate process first, so that a file that crashes an interpreter or never ends does no harm.

TensorFlow Lite Micro and TFLite are written in C++ and do not validate the file. The process is
`python -m firmware_export.verify.sandbox NAME [rows] < MODEL`; it runs every step of an export once, on a few images.
"""

import signal
import subprocess
import sys

from firmware_export.common import child
from firmware_export.common.errors import UserError, exit_on_user_error
from firmware_export.common.steps import step

SECONDS = 60
"""Limit of processor time; a ResNet8 takes less than one second, including Python's start."""
MEMORY = 4 << 30
"""Limit of address space in bytes; a ResNet8 takes 0.26 GB, including the libraries."""

_WALL_SECONDS = 10 * SECONDS  # generous for a busy machine; stops a process that waits and uses no processor time
_IMAGES = 3  # all dark, all bright and one in between


@step("running the model in a process of its own")
def check(content: bytes, name: str, *, needs_rows: bool = False) -> None:
    """Refuse a model that a separate process on this host cannot read, prepare and run once.

    Args:
        content: a `.tflite` file, possibly damaged.
        name: the model's name in error messages.
        needs_rows: also refuse, before the model runs, what the row engine does not support.

    Raises:
        UserError: `reader.read`, `reader.check_deployable`, `sanity.check`, the row engine if it is needed, or an
            interpreter refuses the model; or it crashed, took more than `SECONDS` or needed more than `MEMORY`.
        RuntimeError: a defect of this program, with the process's traceback.
    """
    command = child.command("firmware_export.verify.sandbox", name, *(["rows"] if needs_rows else []))
    # OpenBLAS reserves memory for each core of the host; with many cores, that could exceed the limit.
    environment = child.environment(OPENBLAS_NUM_THREADS="1")
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, env=environment, timeout=_WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow(name, error.stdout) from error
    judge(name, done.returncode, done.stdout, done.stderr)


def judge(name: str, returncode: int, stdout: bytes | None, stderr: bytes) -> None:
    """Raise the error that corresponds to the end of the process, if any; see `check`.

    Args:
        name: the model's name in error messages.
        returncode: 0, an exit status, or minus the signal that ended the process.
        stdout: the stages that were started, one per line.
        stderr: the error, on the last line.
    """
    message = stderr.decode(errors="replace").strip()
    if returncode == 2:
        raise UserError(message.splitlines()[-1].removeprefix("error: "))
    if returncode == -signal.SIGXCPU:
        raise _too_slow(name, stdout)
    if returncode < 0:
        raise UserError(
            f"{name}: {_stage(stdout)} crashed on this model ({signal.Signals(-returncode).name}): convert it again, "
            "or replace its unusual layers"
        )
    if returncode != 0:
        raise RuntimeError(f"the sandbox process for {name} failed:\n{message}")


def _too_slow(name: str, stdout: bytes | None) -> UserError:
    return UserError(
        f"{name}: {_stage(stdout)} took more than {SECONDS} s for {_IMAGES} images: make the model smaller"
    )


def _stage(stdout: bytes | None) -> str:
    return (stdout or b"").decode().strip().rpartition("\n")[2] or "Python"


def main() -> None:
    """Limit this process, read the model from standard input and examine it."""
    limit()
    examine(sys.stdin.buffer.read(), sys.argv[1], needs_rows="rows" in sys.argv[2:])


def limit() -> None:
    """Limit the processor time and address space of this process, and disable core files; cannot be undone."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def examine(content: bytes, name: str, *, needs_rows: bool = False) -> None:
    """Read, check, prepare and run the model in this process, and print each stage before it starts.

    Raises:
        UserError: as `check`.
    """
    import numpy as np

    from firmware_export.images.generated import generated_images
    from firmware_export.memory.arena import least_bytes
    from firmware_export.rows.lower import lower
    from firmware_export.tflite import interpreters, offline_metadata, reader, sanity
    from firmware_export.verify import kernel_parity

    try:
        print("TFLite", flush=True)
        model = reader.read(content, name)
        graph = model.graph
        reader.check_deployable(graph)
        sanity.check(model)
        reference = interpreters.TfliteInterpreter(model, is_reference=True)
        sanity.check_shapes(graph, reference.shape)
        if needs_rows:
            lower(model)
        scenes = generated_images(graph.input_shape, _IMAGES)
        codes = (scenes ^ np.uint8(0x80)).view(np.int8)
        for image in codes:
            reference.invoke(image[np.newaxis])
        sanity.check_shapes(graph, lambda index: reference.tensor(index).shape)
        print("TensorFlow Lite Micro", flush=True)
        outputs = interpreters.run(model, codes)
        arena = least_bytes(model)
        kernel_parity.check_least_arena(model, arena, codes, outputs)
        print("the comparison of TFLite and TensorFlow Lite Micro", flush=True)
        kernel_parity.check_kernels(offline_metadata.without_plan(model), codes)
    except MemoryError as error:
        raise UserError(f"{name} needs more than {MEMORY:,} bytes of memory to run: make the model smaller") from error


if __name__ == "__main__":
    exit_on_user_error(main)
