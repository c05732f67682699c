import dataclasses
import doctest
import hashlib
import re
import subprocess
import zlib

import numpy as np
import pytest

from firmware_export import facts as model_facts
from firmware_export.tflm import model_data, read_back

STUB = """
// Stands for TFLM: the names that model_ops.h uses, with operators that can be told to fail.
#pragma once
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
namespace tflite {
inline int calls = 0;
inline int failing_call = -1;
template <unsigned int tOpCount>
class MicroMutableOpResolver {
 public:
%s
 private:
  TfLiteStatus Add() {
    if (calls == static_cast<int>(tOpCount)) return kTfLiteError;
    return calls++ == failing_call ? kTfLiteError : kTfLiteOk;
  }
};
}  // namespace tflite
"""

USER = """
#include "model_ops.h"
int main(int argc, char**) {
  student_model::OpResolver resolver;
  tflite::failing_call = argc - 2;
  const bool ok = student_model::RegisterOps(resolver) == kTfLiteOk;
  return ok ? 10 + tflite::calls : tflite::calls;
}
"""

needs_compiler = pytest.mark.skipif(read_back.find_compiler() is None, reason="no C++ compiler on PATH")


def test_doctests():
    assert doctest.testmod(model_data).failed == 0


def test_array_is_aligned_sized_and_named(facts):
    text = model_data.render(facts)["model_data.cc"]
    assert "alignas(16) const unsigned char g_student_model_data[] = {" in text
    assert f"const unsigned int g_student_model_data_size = {facts.model.size};" in text


def test_header_says_what_firmware_needs(facts):
    text = model_data.render(facts)["model_data.h"]
    for part in (
        f"kModelBytes = {facts.model.size};",
        f"kModelCrc32 = 0x{zlib.crc32(facts.model.content):08x};",
        f'kModelSha256[] = "{hashlib.sha256(facts.model.content).hexdigest()}";',
        "kArenaBytes = 10288;",
        "kInputShape[] = {1, 16, 16, 3};",
        "kInputZeroPoint = -128;",
        "kOutputShape[] = {1, 10};",
        "ADD x2, CONV_2D x6, FULLY_CONNECTED x1, MEAN x1",
        "pixel[i] ^ 0x80",
    ):
        assert part in text
    assert np.float32(re.search(r"kOutputScale = (.*)f;", text)[1]) == np.float32(facts.graph.outputs[0].scale)
    assert "WARNING" not in text


def test_every_file_says_where_it_comes_from(facts):
    for text in model_data.render(facts).values():
        assert facts.command in text
        assert facts.model.sha256 in text
        assert model_facts.package_version() in text


def test_another_input_quantization_is_warned_of(facts, qat_graph):
    image = dataclasses.replace(qat_graph.inputs[0], scales=(0.1,))
    model = dataclasses.replace(facts.model, graph=dataclasses.replace(qat_graph, inputs=(image,)))
    other = dataclasses.replace(facts, arena=dataclasses.replace(facts.arena, model=model))
    text = model_data.render(other)["model_data.h"]
    assert "WARNING" in text
    assert "Firmware must quantize it itself" in text
    assert "^ 0x80" not in text


def test_generated_images_are_admitted(facts):
    text = model_data.render(dataclasses.replace(facts, images_are_real=False))["model_data.h"]
    assert "256 GENERATED images (no real ones were given)" in text


def test_rendering_repeats(facts):
    assert model_data.render(facts) == model_data.render(facts)


@needs_compiler
@pytest.mark.parametrize("symbol", ["g_student_model_data", "weights", "g_class", "g_1_data"])
def test_compiles_whatever_the_names(facts, symbol):
    odd = ("Annual crop", 'say "é"', "a\\b", "what??/", "日本", "%s\n")
    named = dataclasses.replace(facts, symbol=symbol, class_names=odd, command='x "\\\n#error y" \\')
    assert read_back.check_array(model_data.render(named), symbol, facts.model.content)


@needs_compiler
def test_class_names_survive_the_compiler(facts, tmp_path):
    names = ("plain", 'quo"te', "é", "7\x017", "what??/")
    files = model_data.render(dataclasses.replace(facts, class_names=names))
    (tmp_path / "model_data.h").write_text(files["model_data.h"])
    (tmp_path / "main.cc").write_text(
        '#include "model_data.h"\n#include <cstdio>\n'
        "int main() { for (const char* name : student_model::kClassNames) std::puts(name); }\n"
    )
    program = str(tmp_path / "main")
    subprocess.run([read_back.find_compiler(), *read_back.FLAGS, str(tmp_path / "main.cc"), "-o", program], check=True)
    assert subprocess.run([program], check=True, capture_output=True).stdout.decode() == "\n".join(names) + "\n"


@needs_compiler
def test_resolver_has_exactly_the_operators_and_checks_every_status(facts, tmp_path):
    header = tmp_path / "tensorflow/lite/micro/micro_mutable_op_resolver.h"
    header.parent.mkdir(parents=True)
    methods = {"AddAdd": "ADD", "AddConv2D": "CONV_2D", "AddFullyConnected": "FULLY_CONNECTED", "AddMean": ""}
    # Without functions for int8 alone.
    registrations = "".join(f"inline int Register_{name}() {{ return 0; }}\n" for name in methods.values() if name)
    add = (f"  TfLiteStatus {method}({'int' if name else ''}) {{ return Add(); }}" for method, name in methods.items())
    header.write_text(
        (STUB % "\n".join(add)).replace("namespace tflite {\n", f"namespace tflite {{\n{registrations}", 1)
    )
    (tmp_path / "model_ops.h").write_text(model_data.render(facts)["model_ops.h"])
    (tmp_path / "main.cc").write_text(USER)
    program = str(tmp_path / "main")
    command = [
        read_back.find_compiler(),
        *read_back.FLAGS,
        "-I",
        str(tmp_path),
        str(tmp_path / "main.cc"),
        "-o",
        program,
    ]
    subprocess.run(command, check=True)
    assert subprocess.run([program], check=False).returncode == 10 + len(methods)
    for failing in range(len(methods)):  # stops at the operator that fails, and says so
        assert subprocess.run([program, *"x" * (failing + 1)], check=False).returncode == failing + 1
