"""Try a model out in a process of its own: a file that crashes an interpreter, or never ends, takes only that along.

TensorFlow Lite Micro and TFLite are C++ and trust the file. `python -m firmware_export.verify.sandbox NAME < MODEL` is
the process; it does once, on a few images, all that an export does with the model.
"""

import os
import signal
import subprocess
import sys

from firmware_export.common.errors import UserError, exit_on_user_error

SECONDS = 60
"""Of processor time; a ResNet8's probe takes less than one, with Python's start."""
MEMORY = 4 << 30
"""Bytes of address space; a ResNet8's probe takes 0.26 GB, libraries included."""

_WALL_SECONDS = 10 * SECONDS  # a machine that does much else at once; a process that waits uses no processor time
_IMAGES = 3  # all dark, all bright and one in between


def check(content: bytes, name: str) -> None:
    """Refuse a model that this host cannot read, prepare and run once; nothing it does harms this process.

    Args:
        content: of a file that claims to be a `.tflite`.
        name: what error messages call it.

    Raises:
        UserError: what `reader.read`, `reader.check_deployable`, `sanity.check` or the interpreters say
            of the model; or it crashed, took more than `SECONDS` or needed more than `MEMORY`.
        RuntimeError: a defect of ours, with the process's traceback.
    """
    command = [sys.executable, "-m", "firmware_export.verify.sandbox", name]
    # OpenBLAS reserves memory for each core of the host, which may be many.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, env=environment, timeout=_WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow(name, error.stdout) from error
    judge(name, done.returncode, done.stdout, done.stderr)


def judge(name: str, returncode: int, stdout: bytes | None, stderr: bytes) -> None:
    """What the process's end says of the model; raises as `check` does.

    Args:
        name: what error messages call the model.
        returncode: 0, an exit status, or minus the signal that ended it.
        stdout: the stages that were begun, a line each.
        stderr: the error, on the last line.
    """
    said = stderr.decode(errors="replace").strip()
    if returncode == 2:
        raise UserError(said.splitlines()[-1].removeprefix("error: "))
    if returncode == -signal.SIGXCPU:
        raise _too_slow(name, stdout)
    if returncode < 0:
        raise UserError(
            f"{name}: {_stage(stdout)} crashed on this model ({signal.Signals(-returncode).name}): convert it again, "
            "or replace its unusual layers"
        )
    if returncode != 0:
        raise RuntimeError(f"the probe of {name} failed:\n{said}")


def _too_slow(name: str, stdout: bytes | None) -> UserError:
    return UserError(
        f"{name}: {_stage(stdout)} took more than {SECONDS} s for {_IMAGES} images: make the model smaller"
    )


def _stage(stdout: bytes | None) -> str:
    return (stdout or b"").decode().strip().rpartition("\n")[2] or "Python"


def main() -> None:
    """Limit this process, read the model from standard input and examine it."""
    limit()
    examine(sys.stdin.buffer.read(), sys.argv[1])


def limit() -> None:
    """Bound this process, for good: processor time, address space, and no core file."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def examine(content: bytes, name: str) -> None:
    """Read, check, prepare and run the model in this process, and print each stage before it begins.

    Raises:
        UserError: as `check`.
    """
    import numpy as np

    from firmware_export.images.generated import generated_images
    from firmware_export.tflite import interpreters, offline_metadata, reader, sanity
    from firmware_export.verify import kernel_parity

    try:
        print("TFLite", flush=True)
        model = reader.read(content, name)
        graph = model.graph
        reader.check_deployable(graph)
        sanity.check(model)
        scenes = generated_images(graph.inputs[0].shape[1:], _IMAGES)
        codes = (scenes ^ np.uint8(0x80)).view(np.int8)
        reference = interpreters.TfliteInterpreter(model, is_reference=True)
        for image in codes:
            reference.invoke(image[np.newaxis])
        sanity.check_shapes(graph, lambda index: reference.tensor(index).shape)
        print("TensorFlow Lite Micro", flush=True)
        outputs = interpreters.run(model, codes)
        arena = interpreters.least_arena(model)
        kernel_parity.check_least_arena(model, arena, codes, outputs)
        print("the comparison of TFLite and TensorFlow Lite Micro", flush=True)
        kernel_parity.check_kernels(offline_metadata.without_plan(model), codes)
    except MemoryError as error:
        raise UserError(f"{name} needs more than {MEMORY:,} bytes of memory to run: make the model smaller") from error


if __name__ == "__main__":
    exit_on_user_error(main)
