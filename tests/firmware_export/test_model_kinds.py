"""From a Keras model to a folder whose classifier answers as the host did: each kind of model in MLPerf Tiny."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from host_compiler import compile_program

from firmware_export import __main__ as command_line
from firmware_export.images.generated import generated_images
from firmware_export.tflite import reader
from firmware_export.tflm import read_back

pytestmark = pytest.mark.slow

TFLM = Path(__file__).parent / "tflm"
SHAPES = {"resnet": (16, 16, 3), "ds_cnn": (24, 10, 1), "mobilenet": (16, 16, 3), "autoencoder": (64,)}
OPERATORS = {
    "resnet": {"ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN"},
    "ds_cnn": {"AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX"},
    "mobilenet": {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN"},
    "autoencoder": {"FULLY_CONNECTED"},
}

# A network that knows the golden vectors stands for TFLM, so that the classifier's own path is what is tried.
CHECKS = """
#include <cstring>
#include "classifier.h"
#include "golden_vectors.h"
using namespace student_model;
namespace {
alignas(16) std::uint8_t arena[kArenaBytes];
void Replay(const std::int8_t* input, std::int8_t* output) {
  for (int v = 0; v < kGoldenVectorCount; ++v) {
    bool same = true;
    for (std::size_t i = 0; i < kInputBytes; ++i) {
      same = same && input[i] == static_cast<std::int8_t>(kGoldenInputs[v][i] ^ 0x80);
    }
    if (same) std::memcpy(output, kGoldenOutputs[v], sizeof kGoldenOutputs[v]);
  }
}
}  // namespace
int main() {
  tflite::behaviour.input_bytes = kInputBytes;
  tflite::behaviour.output_bytes = kOutputs;
  tflite::behaviour.network = Replay;
  static Classifier classifier;
  if (classifier.Init(arena, sizeof arena) != ClassifierStatus::kOk) return 1;
  if (classifier.SelfTest() != ClassifierStatus::kOk) return 2;
  const Classification seen = classifier.Classify(kGoldenInputs[0]);
  if (seen.status != ClassifierStatus::kOk) return 3;
  return kGoldenOutputs[0][seen.class_index] - seen.margin >= -128 ? 0 : 4;
}
"""


@pytest.fixture
def run(call_in_process):
    return functools.partial(call_in_process, command_line.main, "firmware_export")


@pytest.fixture
def given(kind, quantized, tmp_path):
    """A folder with the model and with images of its shape."""
    (tmp_path / "model.tflite").write_bytes(quantized(kind))
    np.save(tmp_path / "images.npy", generated_images(SHAPES[kind], 256, seed=9))
    return tmp_path


def test_export_verifies_and_the_classifier_answers(run, kind, given):
    out = given / "firmware"
    code, _, err = run(given / "model.tflite", "--out", out, "--images", given / "images.npy")
    assert (code, err) == (0, "")
    said = json.loads((out / "export.json").read_text())
    assert set(said["operators"]) == OPERATORS[kind]
    assert said["macs"] == reader.read((given / "model.tflite").read_bytes()).graph.macs > 0
    assert tuple(said["input_shape"]) == (1, *SHAPES[kind])
    assert (said["has_unit_input"], said["images_are_real"], said["verified_images"]) == (True, True, 256)
    assert ("rows of RGB" in (out / "classifier.h").read_text()) == (SHAPES[kind][-1] == 3)
    _check_classifier(out)


def _check_classifier(folder):
    cxx = read_back.find_compiler() or pytest.skip("no C++ compiler on PATH")
    tflm = folder / "tflm"
    for header in ("micro_interpreter", "micro_mutable_op_resolver", "micro_profiler_interface"):
        _stand_in(tflm / f"tensorflow/lite/micro/{header}.h")
    _stand_in(tflm / "tensorflow/lite/schema/schema_generated.h")
    shutil.copy(TFLM / "tflm_interface.h", tflm)
    (folder / "checks.cc").write_text(CHECKS)
    compile_program(
        cxx, ["-I", str(folder), "-isystem", str(tflm), *map(str, sorted(folder.glob("*.cc")))], str(folder / "checks")
    )
    done = subprocess.run([folder / "checks"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _stand_in(header):
    header.parent.mkdir(parents=True, exist_ok=True)
    header.write_text('#include "tflm_interface.h"\n')


def test_golden_images_of_another_shape_are_refused(run, kind, given):
    other = (*SHAPES[kind][:-1], SHAPES[kind][-1] + 1)
    np.save(given / "other.npy", np.zeros((256, *other), np.uint8))
    code, _, err = run(given / "model.tflite", "--out", given / "firmware", "--images", given / "other.npy")
    assert code == 2
    assert f"uint8 [N, {', '.join(map(str, SHAPES[kind]))}] expected" in err
    assert len(err.splitlines()) == 1
    assert not (given / "firmware").exists()
