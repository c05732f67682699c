"""Compile models of the row engine for this machine, with sanitizers, and run them."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.common.harden import Harden
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite.model import Model

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wpedantic", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

STATUS = {"ok": 0, "null": 1, "not begun": 2, "too many": 3, "too few": 4, "corrupt": 5, "in progress": 6, "wrong": 7}
STATUS |= {"size": 8, "upset": 9}
"""The values that the functions return."""

# Several models in one program: each has its own names, and reads its images from standard input in turn.
_SERVE = """
#include "model_{i}_model.h"
#include <stdio.h>
#include <stdlib.h>

int serve_{i}(void);
int serve_{i}(void) {{
  enum {{ INPUTS = {macros}_ROWS * {macros}_ROW_BYTES }};
  for (int image = 0; image < {images}; ++image) {{
    /* Exact sizes, so that the sanitizers detect accesses beyond them. */
    const size_t size = {macros}_CONTEXT_BYTES_PORTABLE;
    void *in = malloc(INPUTS);
    int8_t *out = malloc({macros}_OUTPUTS);
    model_{i}_context *context = malloc(size);
    if (in == NULL || out == NULL || context == NULL || fread(in, 1, INPUTS, stdin) != INPUTS) return 1;
    for (size_t i = 0; i < size; ++i) ((uint8_t *)context)[i] = 0xa5;
    if (model_{i}_run(context, size, in, out) != SATKD_OK) return 2;
    if (fwrite(out, 1, {macros}_OUTPUTS, stdout) != {macros}_OUTPUTS) return 2;
    free(context);
    free(out);
    free(in);
  }}
  return 0;
}}
"""


def run(
    folder: Path,
    models: Sequence[Model],
    inputs: Sequence[np.ndarray],
    compiler: str = "gcc",
    levels: Sequence[Harden] = (Harden.CONTROL,),
) -> list[np.ndarray]:
    """Run several models in one program, with one engine.

    Args:
        folder: for the sources and the program.
        models: the models to run.
        inputs: for each model, uint8 or int8 [N, …], as the input of its `satkd_run`.
        compiler: a C compiler with gcc's options.
        levels: of hardening, which the models get in turn.

    Returns:
        For each model, int8 [N, outputs].
    """
    texts: dict[str, str] = {}
    for i, (model, images) in enumerate(zip(models, inputs, strict=True)):
        harden = levels[i % len(levels)]
        prefix = f"model_{i}"
        texts |= compile_rows(model, "make test", prefix, harden).files
        texts[f"serve_{i}.c"] = _SERVE.format(i=i, images=len(images), macros=prefix.upper())
    numbers = range(len(models))
    declared = "".join(f"int serve_{i}(void);\n" for i in numbers)
    called = " || ".join(f"serve_{i}()" for i in numbers)
    texts["main.c"] = f"{declared}int main(void) {{ return {called}; }}\n"
    for name, text in texts.items():
        (folder / name).write_text(text)
    sources = [folder / name for name in texts if name.endswith(".c")]
    program = folder / "program"
    command = [compiler, *WARNINGS, "-O1", *SANITIZERS, *map(str, sources), "-o", str(program)]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    given = b"".join(images.tobytes() for images in inputs)
    done = subprocess.run([program], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    outputs = np.frombuffer(done.stdout, np.int8)
    sizes = [
        len(images) * sum(t.size for t in model.graph.outputs) for model, images in zip(models, inputs, strict=True)
    ]
    assert len(outputs) == sum(sizes)
    parts = np.split(outputs, np.cumsum(sizes)[:-1])
    return [part.reshape(len(images), -1) for part, images in zip(parts, inputs, strict=True)]
