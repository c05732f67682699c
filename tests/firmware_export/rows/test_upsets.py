"""Whatever bit flips in what the engine works with: nothing outside the context is touched, and no wrong answer is OK.

Flips of weights, tables and activations may change outputs; they must not do harm either.
"""

import re
import shutil
import subprocess
from pathlib import Path

import bare_metal
import pytest
import row_models
import rows_runner

from firmware_export.board import emulator
from firmware_export.common.harden import Harden
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import reader

HARNESS = Path(__file__).parent / "upsets_harness.c"
PRETRAINED = Path(__file__).parents[3] / "keras_satkd" / "pretrained"
MACHINE = "mps2-an386"
TRIALS = 200


def _whole_rings():
    """Every tensor is kept as a whole somewhere: a pool over the plane, a reshape, a dense layer."""

    def build(builder, given):
        x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "RELU")
        x = builder.reshape(x, (1, 4, 6, 8))
        x = builder.pool("MAX_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE")
        return builder.dense(builder.reshape(x, (1, 192)), 5, "NONE")

    return row_models.model(build, (1, 8, 6, 3), seed=4, quantization=(1 / 255, -128))


def _shipped(student):
    return reader.read((PRETRAINED / f"{student}_eurosat_int8.tflite").read_bytes())


MODELS = {
    "every layer": row_models.every_layer,
    "whole rings": _whole_rings,
    "elementwise": row_models.elementwise,
    "structure": row_models.structure,
}
SHIPPED = ("resnet8", "resnet16")


def _write(model, folder, harden=Harden.CONTROL):
    made = compile_rows(model, "make test", harden=harden)
    for name, text in made.files.items():
        (folder / name).write_text(text)
    return [HARNESS, *(folder / name for name in made.files if name.endswith(".c") and name != "satkd_engine.c")]


def _definitions(folder, trials, stride=1):
    words = re.search(r"_WORDS_BYTES (\d+)u", (folder / "satkd_model.c").read_text())[1]
    return (
        *(f"-DTRIALS={trials}", f"-DSTRIDE={stride}", "-DREPAIR_STRIDE=150", f"-DWORDS_BYTES={words}"),
        *("-DSATKD_WATCHDOG=feed_watchdog", "-DSATKD_WRITE_WORD=write_word"),
    )


def _on_host(model, folder, *, trials, stride=1, harden=Harden.CONTROL):
    """What came of the flips, by kind: the number told by a status, masked, different, and wrong."""
    program = folder / "upsets"
    flags = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", *rows_runner.SANITIZERS, "-DON_HOST", "-I", str(folder))
    sources = [str(source) for source in _write(model, folder, harden)]
    subprocess.run(["gcc", *flags, *_definitions(folder, trials, stride), *sources, "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return _counts(done.stdout)


def _counts(printed):
    lines = [line.rsplit(maxsplit=4) for line in printed.splitlines()]
    return {name: tuple(map(int, numbers)) for name, *numbers in lines}


def _check(counts):
    control = [
        counts[name] for name in ("control between rows", "control between steps", "description before the image")
    ]
    assert all(told > 0 for told, *_ in control)
    assert all(others == [0, 0, 0] for _, *others in control)
    told, *others = counts.get("first words during a call", (1, 0, 0, 0))
    assert (told > 0, others) == (True, [0, 0, 0])
    for name in ("description during the image", "several bits of control"):
        told, _, different, wrong = counts.get(name, (1, 0, 0, 0))
        assert (told > 0, different, wrong) == (True, 0, 0)
    steps, expected, *_ = counts["watchdog"]
    assert steps == expected > 0


def _check_data(counts, harden):
    """Flips of constants and rows: unnoticed with `control`; refused with `detect`; undone with `correct`."""
    for name in ("constants", "rows before a step"):
        told, masked, different, wrong = counts[name]
        assert told + masked + different + wrong == TRIALS
        if harden.has_data_checks:
            assert (told > TRIALS // 4, different, wrong) == (True, 0, 0), name
        else:
            assert told == 0, name
    if harden.has_data_checks:
        assert sum(counts["rows during a step"][2:]) <= TRIALS // 20
        assert counts["constants, repaired"] == counts["rows before a step, repaired"] == (0, TRIALS, 0, 0)
        told, masked, _, wrong = counts["single bits, repaired"]
        assert (told, masked > 0, wrong) == (0, True, 0)
    else:
        assert sum(counts["constants"][2:]) > 0  # the flips do harm that the checks find
    told, masked, _, wrong = counts["pairs of bits, repaired"]
    assert (told + masked, wrong) == (TRIALS, 0)


@pytest.mark.parametrize("harden", [Harden.CONTROL, Harden.DETECT, Harden.CORRECT])
@pytest.mark.parametrize("name", MODELS)
def test_flips_on_the_host(name, harden, tmp_path):
    counts = _on_host(MODELS[name](), tmp_path, trials=TRIALS, stride=7, harden=harden)
    _check(counts)
    _check_data(counts, harden)


@pytest.mark.skipif(shutil.which("qemu-ppc") is None, reason="no qemu-ppc: apt-get install qemu-user")
def test_flips_on_a_big_endian_processor(tmp_path):
    sources = [str(source) for source in _write(row_models.every_layer(), tmp_path, Harden.CORRECT)]
    flags = ("-std=c99", "-O1", "-static", "-DON_HOST", "-I", str(tmp_path), *_definitions(tmp_path, TRIALS, 97))
    subprocess.run(["powerpc-linux-gnu-gcc", *flags, *sources, "-o", str(tmp_path / "upsets")], check=True)
    done = subprocess.run(["qemu-ppc", tmp_path / "upsets"], capture_output=True, text=True, check=True, timeout=600)
    counts = _counts(done.stdout)
    _check(counts)
    _check_data(counts, Harden.CORRECT)


def test_without_a_function_that_writes_nothing_is_repaired(tmp_path):
    """The constants stay as they are, and the answer is a status."""
    _write(row_models.every_layer(), tmp_path, Harden.CORRECT)
    model = tmp_path / "satkd_model.c"
    model.write_text(model.read_text().replace("static const satkd_constants_t", "static satkd_constants_t"))
    (tmp_path / "main.c").write_text(
        """
        #include "satkd_model.h"
        int main(void) {
          static satkd_context context;
          static uint8_t image[SATKD_ROWS * SATKD_ROW_BYTES];
          int8_t out[SATKD_OUTPUTS];
          uint8_t *last = (uint8_t *)satkd_constants_start() + SATKD_CONSTANTS_BYTES - 200;
          if (satkd_repair() != SATKD_OK || satkd_run(&context, sizeof context, image, out) != SATKD_OK) return 1;
          *last ^= 4;
          if (satkd_run(&context, sizeof context, image, out) != SATKD_CORRUPT) return 2;
          if (satkd_repair() != SATKD_CORRUPT) return 3;
          *last ^= 4;
          return satkd_run(&context, sizeof context, image, out) != SATKD_OK;
        }
        """
    )
    sources = [path.name for path in sorted(tmp_path.glob("*.c"))]
    subprocess.run(["gcc", "-std=c99", *sources, "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_flip_of_layers_and_schedule_during_an_image(name, tmp_path):
    _check(_on_host(MODELS[name](), tmp_path, trials=1, stride=1))


@pytest.mark.slow
@pytest.mark.parametrize("student", SHIPPED)
def test_flips_in_shipped_students(student, tmp_path):
    _check(_on_host(_shipped(student), tmp_path, trials=0))


@pytest.mark.slow
@pytest.mark.skipif(None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)), reason=emulator.INSTALL)
@pytest.mark.parametrize("name", [*MODELS, *SHIPPED])
def test_flips_on_an_emulated_core(name, tmp_path):
    """With guards around the context, the copy of it, and the copy of the model."""
    model, trials = (MODELS[name](), 50) if name in MODELS else (_shipped(name), 0)
    core = emulator.MACHINES[MACHINE]
    sources = _write(model, tmp_path, Harden.DETECT if name in MODELS else Harden.CONTROL)
    flags = (*_definitions(tmp_path, trials, 31), "-I", str(tmp_path))
    objects = [bare_metal.compile_object(s, core, tmp_path / f"{i}.o", flags) for i, s in enumerate(sources)]
    printed = emulator.run(bare_metal.link(objects, core, tmp_path / "upsets.elf"), MACHINE, timeout_seconds=600)
    counts = _counts(printed)
    _check(counts)
    assert counts["guards"] == (0, 0, 0, 0)


def test_the_flips_reach_an_engine_without_checks(tmp_path):
    """Without its checks the engine gives wrong answers, or touches other memory: the flips above would show it."""
    sources = _write(row_models.every_layer(), tmp_path)
    engine = tmp_path / "satkd_engine.c"
    text = engine.read_text()
    for check in (
        "sum == state->position",
        "step >= layer.steps",
        "steps[i + 1u] != layer.steps",
    ):
        assert check in text
        text = text.replace(check, "1" if "==" in check else "0")
    engine.write_text(text)
    program = tmp_path / "upsets"
    flags = ("-std=c99", "-O1", *rows_runner.SANITIZERS, "-DON_HOST", *_definitions(tmp_path, 0), "-I", str(tmp_path))
    subprocess.run(["gcc", *flags, *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode != 0 or any(wrong for *_, wrong in _counts(done.stdout).values())


def test_a_context_of_another_size_is_refused(tmp_path):
    """A size from the header of another model; also the least size for other kernels than those compiled."""
    made = compile_rows(row_models.every_layer(), "make test")
    for name, text in made.files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "main.c").write_text(
        """
        #include "satkd_model.h"
        int main(void) {
          static satkd_context context;
          static uint8_t image[SATKD_ROWS * SATKD_ROW_BYTES];
          int8_t out[SATKD_OUTPUTS];
          const size_t least = SATKD_CONTEXT_BYTES_PORTABLE;
          if (satkd_begin(&context, 0) != SATKD_WRONG_SIZE) return 1;
          if (satkd_begin(&context, least - 1) != SATKD_WRONG_SIZE) return 2;
          if (satkd_begin(&context, sizeof context + 1) != SATKD_WRONG_SIZE) return 3;
          if (satkd_run(&context, least - 4, image, out) != SATKD_WRONG_SIZE) return 4;
          if (satkd_begin(&context, least) != SATKD_OK) return 5;
          return satkd_begin(&context, sizeof context) != SATKD_OK;
        }
        """
    )
    sources = [str(tmp_path / name) for name in (*made.files, "main.c") if name.endswith(".c")]
    subprocess.run(["gcc", *rows_runner.WARNINGS, *sources, "-o", str(tmp_path / "main")], check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
