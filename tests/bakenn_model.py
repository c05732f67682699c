"""bakenn (PyPI), a compiler from models to C that keeps whole tensors: a reference for the row engine's benchmark."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
import sys
from pathlib import Path
import bakenn

model, out, has_cmsis_nn = sys.argv[1:]
policy = bakenn.KernelPolicy.STATIC_PRIORITY if has_cmsis_nn == "True" else bakenn.KernelPolicy.PORTABLE
options = bakenn.CBackendOptions(
    kernel_policy=policy, enable_cmsis_nn=has_cmsis_nn == "True", target=bakenn.CORTEX_M4
)
try:
    bakenn.compile_tflite(Path(model).read_bytes(), out, name="model", backend_options=options)
except bakenn.CompileError as error:
    sys.exit(str(error))
"""
_CALL = """
#include "bknn_model.h"
enum { WORKING_BYTES = BKNN_MODEL_ARENA_SIZE };
static uint8_t arena[BKNN_MODEL_ARENA_SIZE] __attribute__((aligned(BKNN_MODEL_ARENA_ALIGNMENT)));
static int8_t codes[INPUTS];
static void infer(const uint8_t *image, int8_t *out) {
  for (int i = 0; i < INPUTS; ++i) codes[i] = (int8_t)(image[i] - 128);
  bknn_model_infer(arena, codes, out);
}
"""


class Refused(Exception):
    """bakenn rejects the model, with its own error message."""


@dataclass(frozen=True)
class Made:
    """The generated sources, and the C that adapts them to engine_bench_main.c."""

    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    call: str = _CALL


def compile_model(python: Path, model: bytes, folder: Path, has_cmsis_nn: bool) -> Made:
    """Compile a model with bakenn.

    Args:
        python: the interpreter of an environment with `bakenn[tflite]`.
        model: the bytes of an int8 `.tflite`.
        folder: for the output; created here.
        has_cmsis_nn: use its CMSIS-NN kernels instead of its portable C.

    Raises:
        Refused: the model has operators that bakenn does not support.
    """
    folder.mkdir()
    (folder / "model.tflite").write_bytes(model)
    command = [str(python), "-c", _SCRIPT, str(folder / "model.tflite"), str(folder / "out"), str(has_cmsis_nn)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr.strip().splitlines()[-1])
    sources = tuple(sorted((folder / "out").rglob("*.c")))
    return Made(sources, (folder / "out", *sorted({header.parent for header in (folder / "out").rglob("*.h")})))
