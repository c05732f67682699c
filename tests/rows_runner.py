"""Compile models of the row engine for this machine, with sanitizers, and run them."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.rows import naming
from firmware_export.rows.compile import RowsModel

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wpedantic", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

STATUS = {"ok": 0, "null": 1, "not begun": 2, "too many": 3, "too few": 4, "corrupt": 5, "in progress": 6, "wrong": 7}
"""The values of `satkd_status`."""

# Several models in one program: each has its own names, and reads its images from standard input in turn.
_SERVE = """
#include "{i}/satkd_model.c"
#include <stdio.h>
#include <stdlib.h>

int serve_{i}(void);
int serve_{i}(void) {{
  enum {{ INPUTS = SATKD_ROWS * SATKD_ROW_BYTES }};
  for (int image = 0; image < {images}; ++image) {{
    /* Exact sizes, so that the sanitizers detect accesses beyond them. */
    void *in = malloc(INPUTS);
    int8_t *out = malloc(SATKD_OUTPUTS);
    satkd_context *context = malloc(SATKD_CONTEXT_BYTES);
    if (in == NULL || out == NULL || context == NULL || fread(in, 1, INPUTS, stdin) != INPUTS) return 1;
    for (int i = 0; i < SATKD_CONTEXT_BYTES; ++i) ((uint8_t *)context)[i] = 0xa5;
    if (satkd_run(context, in, out) != SATKD_OK || fwrite(out, 1, SATKD_OUTPUTS, stdout) != SATKD_OUTPUTS) return 2;
    free(context);
    free(out);
    free(in);
  }}
  return 0;
}}
"""


def run(
    folder: Path, models: Sequence[RowsModel], inputs: Sequence[np.ndarray], compiler: str = "gcc"
) -> list[np.ndarray]:
    """Run several models in one program.

    Args:
        folder: for the sources and the program.
        models: the models to run.
        inputs: for each model, uint8 or int8 [N, …], as the input of its `satkd_run`.
        compiler: a C compiler with gcc's options.

    Returns:
        For each model, int8 [N, outputs].
    """
    sources = []
    for i, (model, images) in enumerate(zip(models, inputs, strict=True)):
        (folder / str(i)).mkdir(exist_ok=True)
        serve = _SERVE.format(i=i, images=len(images))
        texts = naming.rename({**model.files, "serve.c": serve}, f"model_{i}")
        sources.append(folder / f"serve_{i}.c")
        sources[-1].write_text(texts.pop("serve.c"))
        for name, text in texts.items():
            (folder / str(i) / name).write_text(text)
    numbers = range(len(models))
    declared = "".join(f"int serve_{i}(void);\n" for i in numbers)
    called = " || ".join(f"serve_{i}()" for i in numbers)
    sources.append(folder / "main.c")
    sources[-1].write_text(f"{declared}int main(void) {{ return {called}; }}\n")
    program = folder / "program"
    command = [compiler, *WARNINGS, "-O1", *SANITIZERS, *map(str, sources), "-o", str(program)]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    given = b"".join(images.tobytes() for images in inputs)
    done = subprocess.run([program], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    outputs = np.frombuffer(done.stdout, np.int8)
    sizes = [len(images) * _outputs(model) for model, images in zip(models, inputs, strict=True)]
    assert len(outputs) == sum(sizes)
    parts = np.split(outputs, np.cumsum(sizes)[:-1])
    return [part.reshape(len(images), -1) for part, images in zip(parts, inputs, strict=True)]


def _outputs(model: RowsModel) -> int:
    line = next(line for line in model.files["satkd_model.h"].splitlines() if line.startswith("#define SATKD_OUTPUTS"))
    return int(line.split()[-1])
