"""The commands of the page, on small made images, and the part that is fed raw samples gives the bytes of TFLM."""

import json
import os
import shutil
import subprocess

import bare_metal
import numpy as np
import prepared_process
import pytest
from documented_commands import commands
from markdown_text import ROOT, fences, text
from rasters import raster_folder

from firmware_export.board import emulator
from firmware_export.images import samples, scaling
from firmware_export.rows import verify
from firmware_export.tflite import interpreters, reader

PAGE = ROOT / "docs" / "four_bands.md"
SIZE = 32
QUICK = [
    *("--config", "demo", "--data.image-size", str(SIZE), "--distillation.weighting.rule", "none"),
    *("--distillation.epochs", "6", "--quantization.epochs", "0", "--distillation.batch-size", "32"),
    *("--firmware.error-rate", "0.2"),
]
"""Settings for a run of seconds; the images are told apart by any student."""


def run(words, folder, further=()):
    """Run a command of the page in a folder, with further options."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = prepared_process.run([*words, *further], folder, environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the page's commands were run, and what they printed."""
    folder = tmp_path_factory.mktemp("page")
    raster_folder(folder / "scenes", 170, size=SIZE)
    printed = []
    for command in commands(PAGE):
        further = {"keras_satkd.distill": QUICK, "keras_satkd.evaluate": ["--json"]}.get(command.module, [])
        printed.append(run(command.words, folder, further))
    return folder, printed


def raw_images(folder, made, count=8):
    """Samples of some files, [N, H, W, C], in the model's order of bands, and their codes."""
    files = sorted((folder / "scenes").rglob("*.tif"))
    chosen = [files[at] for at in np.linspace(0, len(files) - 1, count).astype(int)]
    raw = np.stack([samples.read(file.read_bytes()).pixels for file in chosen])[..., list(made.bands.positions)]
    return raw, made.codes(raw)


@pytest.mark.slow
def test_the_run_says_and_keeps_what_it_did(finished):
    folder, (distilled, evaluated, _) = finished
    said = next(fence.text for fence in fences(text(PAGE)) if "become codes" in fence.text)
    assert " ".join(said.split()) in " ".join(distilled.stderr.split())
    made = scaling.load(folder / "runs" / "scenes" / "scaling.json")
    assert (made.bands.names, made.bands.positions) == (("B04", "B03", "B02", "B08"), (2, 1, 0, 3))
    assert (made.low, made.high) == ((0,) * 4, (4095,) * 4)
    assert json.loads(evaluated.stdout)["accuracy"] > 0.9
    card = (folder / "runs" / "scenes" / "model_card.md").read_text()
    assert "The images have the bands B04, B03, B02, B08." in card
    report = (folder / "runs" / "scenes" / "report.html").read_text()
    assert "They are shown in true color: red, green and blue are B04, B03, B02." in report


@pytest.mark.slow
def test_both_exports_have_the_function_and_say_so(finished):
    folder, _ = finished
    made = scaling.load(folder / "runs" / "scenes" / "scaling.json")
    for exported, file, caller in (
        (folder / "runs" / "scenes" / "firmware", "student_model_scaling.h", "classifier.h"),
        (folder / "firmware", "satkd_scaling.h", "satkd_model.h"),
    ):
        described = json.loads((exported / "export.json").read_text())
        assert described["scaling"] == {"file": file, **made.to_dict()}
        assert described["images_are_real"]
        assert f"{file} makes them from the sensor's raw samples." in (exported / caller).read_text()
        assert "0        B04               3 of 4               0..4095" in (exported / file).read_text()
    # The golden vectors are codes.
    again = (folder / "runs" / "scenes" / "firmware" / "export.json").read_text()
    assert "--scaling scaling.json" in json.loads(again)["command"]


PROGRAM = """
#include "satkd_model.h"
#include "satkd_scaling.h"

static satkd_context context;

static int classify(const uint16_t *samples, int8_t *outputs) {
  static uint8_t pixels[SATKD_SCALING_ROW_PIXELS * SATKD_SCALING_CHANNELS];
  int status = satkd_begin(&context, sizeof(context));
  for (int row = 0; (row < SATKD_ROWS) && (status == SATKD_OK); ++row) {
    satkd_codes(samples + ((size_t)row * SATKD_ROW_BYTES), pixels, SATKD_SCALING_ROW_PIXELS);
    status = satkd_push_row(&context, pixels);
  }
  if (status == SATKD_OK) { status = satkd_finish(&context, outputs); }
  return status;
}
"""

HOST = """
#include <stdio.h>

int main(void) {
  static uint16_t samples[SATKD_ROWS * SATKD_ROW_BYTES];
  static int8_t outputs[SATKD_OUTPUTS];
  while (fread(samples, sizeof samples, 1, stdin) == 1) {
    if (classify(samples, outputs) != SATKD_OK) return 3;
    if (fwrite(outputs, sizeof outputs, 1, stdout) != 1) return 4;
  }
  return 0;
}
"""

PART = """
void write_text(const char *text);

static const uint16_t samples[{count}][SATKD_ROWS * SATKD_ROW_BYTES] = {{ {samples} }};
static const int8_t expected[{count}][SATKD_OUTPUTS] = {{ {expected} }};

int main(void) {{
  int wrong = 0;
  for (int image = 0; image < {count}; ++image) {{
    int8_t outputs[SATKD_OUTPUTS];
    if (classify(samples[image], outputs) != SATKD_OK) wrong = 1;
    for (int i = 0; i < SATKD_OUTPUTS; ++i) wrong |= (outputs[i] != expected[image][i]);
  }}
  write_text(wrong ? "FAILED outputs\\n" : "passed outputs\\n");
  return wrong;
}}
"""


def expected_outputs(folder, codes):
    """What TensorFlow Lite Micro gives for codes."""
    model = reader.read((folder / "firmware" / "model.tflite").read_bytes())
    return interpreters.run(model, interpreters.quantize_input(codes, model.graph))


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, verify.COMPILERS)), reason="no C compiler")
def test_c_that_is_fed_raw_samples_gives_the_bytes_of_tflm(finished, tmp_path):
    folder, _ = finished
    raw, codes = raw_images(folder, scaling.load(folder / "runs" / "scenes" / "scaling.json"))
    (tmp_path / "main.c").write_text(PROGRAM + HOST)
    sources = [file for file in (folder / "firmware").glob("satkd_*.c") if "golden" not in file.name]
    compiler = next(filter(None, map(shutil.which, verify.COMPILERS)))
    command = [compiler, *verify.FLAGS, "-I", str(folder / "firmware"), str(tmp_path / "main.c"), *map(str, sources)]
    subprocess.run([*command, "-o", str(tmp_path / "main")], check=True)
    done = subprocess.run([tmp_path / "main"], input=raw.tobytes(), capture_output=True, check=True)
    outputs = expected_outputs(folder, codes)
    np.testing.assert_array_equal(
        np.frombuffer(done.stdout, np.int8).reshape(len(raw), -1), outputs.reshape(len(raw), -1)
    )
    assert len(np.unique(outputs.reshape(len(raw), -1).argmax(axis=1))) == 2


@pytest.mark.slow
@pytest.mark.skipif(None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)), reason=emulator.INSTALL)
def test_an_emulated_m4_gives_them_too(finished, tmp_path):
    folder, _ = finished
    raw, codes = raw_images(folder, scaling.load(folder / "runs" / "scenes" / "scaling.json"), count=2)

    def rows(values):
        return ", ".join("{" + ", ".join(map(str, each)) + "}" for each in values.reshape(len(raw), -1).tolist())

    part = PART.format(count=len(raw), samples=rows(raw), expected=rows(expected_outputs(folder, codes)))
    (tmp_path / "main.c").write_text(PROGRAM + part)
    sources = [file for file in (folder / "firmware").glob("satkd_*.c") if "golden" not in file.name]
    flags = ["-I", str(folder / "firmware")]
    compiled = [
        bare_metal.compile_object(source, "cortex-m4", tmp_path / f"{source.stem}.o", flags)
        for source in (tmp_path / "main.c", *sources)
    ]
    elf = bare_metal.link(compiled, "cortex-m4", tmp_path / "raw.elf")
    assert emulator.run(elf, "mps2-an386", timeout_seconds=300) == "passed outputs\n"
