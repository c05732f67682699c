"""The generated C computes what the NumPy code computes, bit for bit, as C99 and as C++17."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import bare_metal
import numpy as np
import pytest
from host_compiler import SANITIZERS

from firmware_export.board import emulator
from firmware_export.drift import header, monitor, statistics
from firmware_export.tflite import reader

HERE = Path(__file__).parent
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror", "-O1")
LANGUAGES = {"gcc": "-std=c99", "clang": "-std=c99", "g++": "-std=c++17", "clang++": "-std=c++17"}
WINDOW = 5


@dataclass(frozen=True)
class Tensor:
    """What the header needs to know of an input or output."""

    shape: tuple[int, ...]

    @property
    def size(self):
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Graph:
    inputs: tuple[Tensor]
    outputs: tuple[Tensor]
    has_unit_input: bool


@dataclass(frozen=True)
class Model:
    """Stands for a model of any input shape."""

    graph: Graph
    size: int = 1234
    sha256: str = "ab" * 32


CASES = {
    "RGB pixels": (Model(Graph((Tensor((1, 6, 8, 3)),), (Tensor((1, 4)),), True)), np.uint8),
    "one band of codes": (Model(Graph((Tensor((1, 3, 5, 1)),), (Tensor((1, 2)),), False)), np.int8),
    "two by two, 13 bands": (Model(Graph((Tensor((1, 2, 2, 13)),), (Tensor((1, 1, 1, 7)),), True)), np.uint8),
}


def images_and_outputs(model, dtype, count, seed):
    """From flat images to the steepest ones, and outputs with ties."""
    random = np.random.default_rng(seed)
    limits, shape = np.iinfo(dtype), model.graph.inputs[0].shape[1:]
    images = random.integers(limits.min, limits.max + 1, (count, *shape)).astype(dtype)
    images[::3] = np.where(random.random(images[::3].shape) < 0.5, limits.min, limits.max)
    images[1::3] = images[1::3] // 8 + random.integers(0, 100, (len(images[1::3]), 1, 1, 1)).astype(dtype)
    outputs = random.integers(-128, 128, (count, *model.graph.outputs[0].shape[1:])).astype(np.int8)
    outputs[::4] = outputs[::4] // 64
    return images, outputs


def chosen(model, dtype):
    """A monitor of such images."""
    images, outputs = images_and_outputs(model, dtype, 400, seed=1)
    return monitor.choose(images, outputs, outputs.reshape(400, -1).argmax(axis=1), WINDOW, 0.05)


def built(text, name, source, folder, dtype):
    """A program of the harness with the header, compiled with warnings as errors."""
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    (folder / "satkd_monitor.h").write_text(text)
    language = ["-x", "c++"] if name.endswith("++") else []
    words = [name, LANGUAGES[name], *WARNINGS, *SANITIZERS, f"-DVALUE={np.dtype(dtype)}_t", "-I", str(folder)]
    program = folder / source.removesuffix(".c")
    done = subprocess.run(
        [*words, *language, str(HERE / source), "-o", str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


def expected(found_monitor, images, outputs):
    """For each image: its sums, the window's sums, status, low, high; int32."""
    found = statistics.of(images, outputs)
    residuals = found_monitor.reference.residuals(found, outputs.reshape(len(outputs), -1).argmax(axis=1))
    lines, low, high = [], 0, 0
    for at in range(len(images)):
        first = at - at % found_monitor.window
        sums, status = residuals[first : at + 1].sum(axis=0), 0
        if at % found_monitor.window == found_monitor.window - 1:
            below, above = sums < found_monitor.lower, sums > found_monitor.upper
            low, high = (sum(1 << int(bit) for bit in np.flatnonzero(which)) for which in (below, above))
            status, sums = (2 if (below | above).any() else 1), np.zeros_like(sums)
        lines.append([*found[at, :-1], *sums, status, low, high])
    return np.array(lines, np.int32)


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_c_and_numpy_agree(case, name, tmp_path):
    model, dtype = CASES[case]
    drift = chosen(model, dtype)
    (text,) = header.render(drift, model, "python -m firmware_export", "satkd").values()
    program = built(text, name, "monitor_harness.c", tmp_path, dtype)
    images, outputs = images_and_outputs(model, dtype, 60, seed=2)
    images[30:] = np.iinfo(dtype).max  # drifts
    given = b"".join(image.tobytes() + output.tobytes() for image, output in zip(images, outputs, strict=True))
    wanted = expected(drift.monitor, images, outputs)
    assert {1, 2} <= set(wanted[:, -3].tolist())
    for arguments in ([], ["rows"]):
        done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        np.testing.assert_array_equal(np.frombuffer(done.stdout, np.int32).reshape(wanted.shape), wanted)


@pytest.mark.parametrize("name", LANGUAGES)
def test_calls_without_an_image_are_told(name, tmp_path):
    model, dtype = CASES["RGB pixels"]
    drift = chosen(model, dtype)
    (text,) = header.render(drift, model, "python -m firmware_export", "satkd").values()
    assert subprocess.run([built(text, name, "misuse.c", tmp_path, dtype)], check=False).returncode == 0


NETWORK = """
enum {{ IMAGES = 1, INPUTS = {inputs}, OUTPUTS = {outputs} }};
static const uint8_t images[IMAGES][INPUTS] = {{ {{ {pixels} }} }};
static const int8_t expected[IMAGES][OUTPUTS] = {{ {{ 0 }} }};
#include "satkd_monitor.h"
enum {{ WORKING_BYTES = sizeof(satkd_monitor) }};
static satkd_monitor monitor;
static void infer(const uint8_t *image, int8_t *out) {{
  satkd_monitor_image(&monitor, image);
  if (satkd_monitor_result(&monitor, out) != SATKD_MONITOR_IN_PROGRESS) out[0] = 1;
}}
"""


@pytest.mark.slow
@pytest.mark.skipif(None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)), reason=emulator.INSTALL)
def test_cost_on_a_cortex_m4(tmp_path):
    """`docs/drift.md`: at most 0.8 million instructions for an RGB image of 64×64 pixels."""
    model, machine = Model(Graph((Tensor((1, 64, 64, 3)),), (Tensor((1, 4)),), True)), "mps2-an386"
    (text,) = header.render(chosen(model, np.uint8), model, "python -m firmware_export", "satkd").values()
    (tmp_path / "satkd_monitor.h").write_text(text)
    pixels = np.random.default_rng(4).integers(0, 256, 64 * 64 * 3).tolist()
    network = NETWORK.format(inputs=len(pixels), outputs=4, pixels=", ".join(map(str, pixels)))
    (tmp_path / "network.h").write_text(network)
    core, main = emulator.MACHINES[machine], HERE.parents[1] / "engine_bench_main.c"
    compiled = bare_metal.compile_object(main, core, tmp_path / "main.o", ["-I", str(tmp_path)])
    elf = bare_metal.link([compiled], core, tmp_path / "cost.elf")
    printed = emulator.run(elf, machine, timeout_seconds=60, counts_instructions=True)
    found = dict(line.split() for line in printed.splitlines())
    assert found["wrong"] == "0"
    assert int(found["ticks"]) * bare_metal.instructions_per_tick(machine) < 800_000


def test_names_have_the_prefix_and_the_model_is_named(one_convolution):
    model = reader.read(one_convolution)
    images = np.random.default_rng(3).integers(0, 256, (256, 4, 4, 3), np.uint8)
    outputs = np.random.default_rng(3).integers(-128, 128, (256, 3)).astype(np.int8)
    drift = monitor.choose(images, outputs, outputs.argmax(axis=1), 32, 0.01)
    ((name, text),) = header.render(drift, model, "python -m firmware_export a.tflite", "cloud").items()
    assert name == "cloud_monitor.h"
    assert header.is_monitor(name)
    assert "satkd_monitor" not in text
    assert "SATKD_MONITOR" not in text
    assert "#define CLOUD_MONITOR_WINDOW 32 " in text
    assert "static inline int cloud_monitor_result(cloud_monitor *monitor, const int8_t *outputs)" in text
    assert model.sha256 in text
    assert not any(word in text for word in ("float", "double"))


def test_without_a_monitor_nothing_is_written(one_convolution):
    assert header.render(monitor.NO_MONITOR, reader.read(one_convolution), "", "satkd") == {}
