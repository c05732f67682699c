"""`make bench-engine`: the cost of one inference in the row engine, counted in QEMU.

Counts do not depend on this machine, because the emulator's clock advances only with each instruction. Cycles of
Cortex-M4 and M7 are a model at zero wait states: executed basic blocks, timed by `cortex_m_timing`. Outputs are
compared with TensorFlow Lite Micro's on this host. With `--bakenn`, bakenn (PyPI) is also measured, on the one model of
these that it can compile; without, its results of before are kept. `--docs` writes the figures of the results file into
the tables of docs/row_engine.md.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bakenn_model
import bare_metal
import engine_docs
import engine_models
import numpy as np

from firmware_export.board import emulator
from firmware_export.bounds import stack
from firmware_export.common.harden import Harden
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, reader

MAIN = Path(__file__).parent / "engine_bench_main.c"
RESULTS = Path(__file__).parent.parent / "docs" / "engine" / "results.json"
PAGE = RESULTS.parent.parent / "row_engine.md"

_NETWORK = """
enum {{ IMAGES = {images}, INPUTS = {inputs}, OUTPUTS = {outputs} }};
static const uint8_t images[IMAGES][INPUTS] = {{
{pixels}
}};
static const int8_t expected[IMAGES][OUTPUTS] = {{
{codes}
}};
"""
_ROWS = """
#include "satkd_model.h"
#if defined(__ARM_FEATURE_MVE)
enum { WORKING_BYTES = SATKD_CONTEXT_BYTES_MVE };
#else
enum { WORKING_BYTES = SATKD_CONTEXT_BYTES_DSP };
#endif
static int32_t context[WORKING_BYTES / 4];
static void infer(const uint8_t *image, int8_t *out) {
  if (satkd_run((satkd_context *)context, sizeof context, image, out) != SATKD_OK) out[0] ^= 1;
}
"""


@dataclass(frozen=True)
class Program:
    """The C of a network."""

    engine: str
    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    call: str
    """C that defines `WORKING_BYTES` and `infer` for engine_bench_main.c."""
    optimization: str = "-O2"
    standard: str = "-std=c99"


@dataclass(frozen=True)
class Result:
    """The measurement of one network on one machine."""

    engine: str
    model: str
    macs: int
    machine: str
    core: str
    flags: str
    instructions: int
    """For the most expensive image."""
    instructions_least: int
    flash_bytes: int
    """Code, constants and initial values of the network's own objects, without library functions."""
    working_bytes: int
    """The context or arena: in the row engine, with the rows of the input, but without the whole image."""
    static_bytes: int
    """Other static variables."""
    stack_bytes: int
    """Stack that one inference wrote below the frame of `main`, measured by painting."""
    stack_bound_bytes: int | None
    """The deepest chain of calls by the functions' frame sizes."""
    wrong_outputs: int
    cycles: tuple[int, int] | None = None
    """The fewest and most by the model, for the first image; equal on Cortex-M4. None without a model of the core."""


def measure(
    program: Program, model: bytes, name: str, machine: str, folder: Path, pictures: np.ndarray | None = None
) -> Result:
    """Compile, run and measure one network on one machine.

    Args:
        program: the network's C.
        model: the `.tflite` of the network, for TFLM on this host.
        name: of the model.
        machine: its name in QEMU.
        folder: for intermediate files.
        pictures: uint8 [N, 64, 64, 3]; by default one generated picture.
    """
    core = emulator.MACHINES[machine]
    parsed = reader.read(model, name)
    graph = parsed.graph
    pictures = engine_models.pictures(1) if pictures is None else pictures
    images = len(pictures)
    expected = interpreters.run(parsed, interpreters.quantize_input(pictures, graph)).reshape(images, -1)
    sizes = {"images": images, "inputs": pictures[0].size, "outputs": expected.shape[1]}
    text = _NETWORK.format(pixels=_rows(pictures.reshape(images, -1)), codes=_rows(expected), **sizes)
    (folder / "network.h").write_text(text + program.call)
    include = [argument for path in (*program.include, folder) for argument in ("-I", str(path))]
    flags = (program.optimization, program.standard, "-fstack-usage", *include)
    own = [
        bare_metal.compile_object(source, core, folder / f"{i}.o", flags) for i, source in enumerate(program.sources)
    ]
    main = bare_metal.compile_object(MAIN, core, folder / "main.o", [*bare_metal.WARNINGS, *flags])
    elf = bare_metal.link([main, *own], core, folder / "bench.elf")
    printed = emulator.run(elf, machine, counts_instructions=True, timeout_seconds=600)
    values: dict[str, list[int]] = {}
    for line in printed.splitlines():
        key, value = line.split()
        values.setdefault(key, []).append(int(value))
    per_tick = bare_metal.instructions_per_tick(machine)
    flash, static = _sizes(own)
    stack_bytes, bound = values["stack"][0], _stack_bound(elf, folder, len(own))
    if bound is not None and stack_bytes > bound:
        raise RuntimeError(f"{name} used {stack_bytes} bytes of stack on {machine}, more than its bound {bound}")
    return Result(
        engine=program.engine,
        model=name,
        macs=graph.macs,
        machine=machine,
        core=core,
        flags=" ".join([*emulator.CORES[core].flags, *bare_metal.FLAGS, program.optimization, program.standard]),
        instructions=round(max(values["ticks"]) * per_tick),
        instructions_least=round(min(values["ticks"]) * per_tick),
        flash_bytes=flash,
        working_bytes=values["working_bytes"][0],
        static_bytes=static,
        stack_bytes=stack_bytes,
        stack_bound_bytes=bound,
        wrong_outputs=values["wrong"][0],
        cycles=_cycles(elf, core),
    )


def _cycles(elf: Path, core: str) -> tuple[int, int] | None:
    if core not in ("cortex-m4", "cortex-m7"):
        return None
    try:
        import cortex_m_trace
    except ImportError as error:  # test dependencies of before
        print(f"no estimate of cycles: pip install {error.name}")
        return None
    found = cortex_m_trace.trace(elf, core)
    return (found.m4, found.m4) if core == "cortex-m4" else found.m7


def _rows(table: np.ndarray) -> str:
    return ",\n".join("  {" + ", ".join(map(str, row.tolist())) + "}" for row in table)


def _sizes(objects: Sequence[Path]) -> tuple[int, int]:
    """Bytes of flash (text and data) and of static RAM (data and bss) of objects."""
    listed = _output(["arm-none-eabi-size", *map(str, objects)]).splitlines()[1:]
    text, data, bss = (sum(int(line.split()[column]) for line in listed) for column in range(3))
    return text + data, data + bss


def _stack_bound(elf: Path, folder: Path, objects: int) -> int | None:
    """The deepest chain of calls below `main`, or None if it has no bound."""
    disassembly = _output(["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(elf)])
    pushed = stack.read_pushed(disassembly)  # by library functions, too
    try:
        frames = stack.read_frames((folder / f"{name}.su").read_text() for name in ("main", *map(str, range(objects))))
        known = pushed | stack.with_pushed(frames, pushed)
        return stack.deepest("main", stack.read_calls(disassembly), known) - known["main"]
    except stack.UnboundedStackError:
        return None


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def row_engine(model: bytes, folder: Path, harden: Harden = Harden.CONTROL) -> Program:
    """Compile a model with the row engine."""
    made = compile_rows(reader.read(model), "make bench-engine", harden=harden)
    for file, text in made.files.items():
        (folder / file).write_text(text)
    return Program(
        "rows" if harden is Harden.CONTROL else f"rows, {harden}",
        tuple(folder / name for name in made.files if name.endswith(".c")),
        (folder,),
        _ROWS,
    )


def measure_all(bakenn: Path | None) -> list[Result]:
    """Measure every engine, model and machine."""
    pointwise = {
        "resnet8_pointwise": engine_models.resnet8_with_pointwise_shortcuts(),
        "resnet8_pointwise_average_pool": engine_models.resnet8_with_pointwise_shortcuts(has_mean=False),
    }
    models = {**pointwise, "resnet8_eurosat": engine_models.SHIPPED.read_bytes()}
    results = []
    for name, model in models.items():
        for machine in emulator.MACHINES:
            with tempfile.TemporaryDirectory() as path:
                folder = Path(path)
                results.append(_printed(measure(row_engine(model, folder), model, name, machine, folder)))
    if bakenn is None:
        print(
            "bakenn is not measured: python -m venv V && V/bin/pip install 'bakenn[tflite]', then --bakenn V/bin/python"
        )
        return results
    for name, model in models.items():
        for has_cmsis_nn in (False, True):
            for machine in ("mps2-an386", "mps2-an500"):
                with tempfile.TemporaryDirectory() as path:
                    folder = Path(path)
                    try:
                        program = _bakenn_program(bakenn, model, folder, has_cmsis_nn)
                    except bakenn_model.Refused as refusal:
                        print(f"bakenn rejects {name}: {refusal}")
                        continue
                    results.append(_printed(measure(program, model, name, machine, folder)))
    return results


def _bakenn_program(bakenn: Path, model: bytes, folder: Path, has_cmsis_nn: bool) -> Program:
    made = bakenn_model.compile_model(bakenn, model, folder / "bakenn", has_cmsis_nn)
    engine = "bakenn 1.0.0" + (" + CMSIS-NN" if has_cmsis_nn else "")
    return replace(Program("", made.sources, made.include, made.call, standard="-std=c11"), engine=engine)


def _printed(result: Result) -> Result:
    cycles = "" if result.cycles is None else f"{engine_docs.millions(result.cycles)} M cycles by the model, "
    print(
        f"{result.engine:24s} {result.model:31s} {result.core:11s} {result.instructions / 1e6:7.1f} M instructions, "
        f"{cycles}flash {result.flash_bytes}, working memory {result.working_bytes}, stack {result.stack_bytes} "
        f"(bound {result.stack_bound_bytes}), wrong outputs {result.wrong_outputs}",
        flush=True,
    )
    return result


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bakenn", type=Path, help="the Python of an environment with bakenn[tflite]")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--docs", action="store_true", help="only write the figures of --out into docs/row_engine.md")
    arguments = parser.parse_args()
    if arguments.docs:
        engine_docs.renew(json.loads(arguments.out.read_text()), PAGE)
        return
    kept = []
    if arguments.bakenn is None and arguments.out.exists():
        kept = [each for each in json.loads(arguments.out.read_text())["results"] if each["engine"] != "rows"]
    found = {
        "compiler": _output([bare_metal.COMPILER, "--version"]).splitlines()[0],
        "emulator": _output([emulator.EMULATOR, "--version"]).splitlines()[0],
        "count": "SysTick under -icount shift=0: 40 instructions a tick (mps2-an386, an500) or 31.25 (mps3-an547)",
        "cycles": "a model at zero wait states, tests/cortex_m_timing.py; a taken branch adds 2 cycles on Cortex-M4",
        "results": [asdict(result) for result in measure_all(arguments.bakenn)] + kept,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
