"""Run many models in one compiled row engine: a model is given as bytes, so only the engine is compiled."""

import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import row_models
import rows_runner

from firmware_export.common.harden import Harden
from firmware_export.rows import check_plan, emit, engine
from firmware_export.rows.least_memory import plan_memory
from firmware_export.rows.lower import lower
from firmware_export.tflite import interpreters
from firmware_export.tflite.model import Model

_MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "satkd_engine.h"

static void *taken(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL || fread(memory, 1, bytes, stdin) != bytes) exit(1);
  return memory;
}

int main(void) {
  uint32_t sizes[5]; /* bytes of the model and of the context, images, bytes of an input and of an output */
  while (fread(sizes, sizeof sizes, 1, stdin) == 1) {
    void *model = taken(sizes[0]);
    for (uint32_t image = 0; image < sizes[2]; ++image) {
      void *in = taken(sizes[3]);
      void *context = malloc(sizes[1]);
      int8_t *out = malloc(sizes[4]);
      if (context == NULL || out == NULL) return 1;
      for (uint32_t i = 0; i < sizes[1]; ++i) ((uint8_t *)context)[i] = 0xa5;
      if (satkd_engine_run(model, context, sizes[1], in, out) != SATKD_OK) return 2;
      if (fwrite(out, 1, sizes[4], stdout) != sizes[4]) return 1;
      free(out);
      free(context);
      free(in);
    }
    free(model);
  }
  return 0;
}
"""


def compiled(folder: Path) -> Path:
    """The program: the engine for this machine with sanitizers."""
    texts = {**engine.files(), "main.c": _MAIN}
    for name, text in texts.items():
        (folder / name).write_text(text)
    program = folder / "server"
    sources = [str(folder / name) for name in texts if name.endswith(".c")]
    command = ["gcc", *rows_runner.WARNINGS, "-O1", *rows_runner.SANITIZERS, *sources, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def run(
    program: Path, models: Sequence[Model], inputs: Sequence[np.ndarray], harden: Harden | None = None
) -> list[np.ndarray]:
    """The outputs of models, each int8 [N, outputs]; `inputs` are int8 or uint8 [N, …], as `satkd_run` takes them.

    By default every other model has rings that share memory, and the others have checks.
    """
    given, sizes = b"", []
    levels = itertools.cycle([Harden.CONTROL, Harden.DETECT] if harden is None else [harden])
    for model, images, level in zip(models, inputs, levels, strict=False):
        planned = plan_memory(lower(model), shares=not level.has_data_checks)
        image = emit.image(planned, "satkd", level)
        check_plan.check(planned, image.context.arrangement)
        outputs = sum(tensor.size for tensor in model.graph.outputs)
        header = [len(image.content), image.context.bytes, len(images), images[0].size, outputs]
        given += np.array(header, "<u4").tobytes() + image.content + images.tobytes()
        sizes.append((len(images), outputs))
    done = subprocess.run([program], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    found = np.split(np.frombuffer(done.stdout, np.int8), np.cumsum([n * size for n, size in sizes]))
    assert not len(found.pop())
    return [part.reshape(shape) for part, shape in zip(found, sizes, strict=True)]


def check(program: Path, cases: Sequence[tuple], images: int = 3) -> None:
    """Compare the outputs of models with TFLM's, on random codes.

    Args:
        program: from `compiled`.
        cases: of `(build, shape, quantization, seed)`, see `row_models.model`.
        images: for each model.
    """
    models = [row_models.model(build, shape, quantization=q, seed=seed) for build, shape, q, seed in cases]
    codes = [
        np.random.default_rng(seed).integers(-128, 128, (images, *shape[1:])).astype(np.int8)
        for _, shape, _, seed in cases
    ]
    compare(program, models, codes)


def compare(program: Path, models: Sequence[Model], codes: Sequence[np.ndarray]) -> None:
    """Compare the outputs of models with TFLM's.

    Args:
        program: from `compiled`.
        models: int8, with batch 1.
        codes: inputs of each, int8 [images, …input shape without the batch].
    """
    inputs = [interpreters.firmware_input(c, m.graph) for c, m in zip(codes, models, strict=True)]
    for model, given, found in zip(models, codes, run(program, models, inputs), strict=True):
        described = [(o.name, [t.shape for t in o.inputs if t], o.outputs[0].shape) for o in model.graph.operators]
        # Not `interpreters.run`, whose outputs must begin with the batch.
        tflm = interpreters.TflmInterpreter(model)
        expected = np.stack([tflm.invoke(image[np.newaxis]).reshape(-1) for image in given])
        assert np.array_equal(found, expected), described
