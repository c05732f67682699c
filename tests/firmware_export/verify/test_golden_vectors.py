import dataclasses
import hashlib
import subprocess

import numpy as np
import pytest

from firmware_export import facts as model_facts
from firmware_export.common import c_text
from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflm import integrity, model_data, read_back
from firmware_export.verify import golden_vectors

FLAGS = (*read_back.FLAGS, "-Wconversion", "-Wsign-conversion", "-Wshadow")

WRITER = """
#include <cstdint>
#include <cstdio>
#include "golden_vectors.h"
using namespace NAMESPACE;
int main() {
  std::fwrite(kGoldenInputs, 1, sizeof kGoldenInputs, stdout);
  std::fwrite(kGoldenOutputs, 1, sizeof kGoldenOutputs, stdout);
  std::printf("%u %d", static_cast<unsigned>(kGoldenCrc32), kGoldenVectorCount);
}
"""


def shipping(facts, model):
    return dataclasses.replace(facts.arena, model=model)


@pytest.fixture(scope="module")
def golden(qat_model, qat_graph, photos):
    return golden_vectors.golden_vectors(qat_model, photos[:40])


def _read_golden(tmp_path, facts, golden):
    cxx = read_back.find_compiler() or pytest.skip("no C++ compiler on PATH")
    for name, text in {**model_data.render(facts), **integrity.render(facts, golden)}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "writer.cc").write_text(WRITER.replace("NAMESPACE", c_text.namespace(facts.symbol)))
    sources = [str(tmp_path / name) for name in ("writer.cc", "golden_vectors.cc")]
    program = str(tmp_path / "writer")
    subprocess.run([cxx, *FLAGS, *sources, "-o", program], check=True)
    return subprocess.run([program], capture_output=True, check=True).stdout


def test_compiled_golden_vectors_hold_their_bytes(tmp_path, facts, golden):
    assert _read_golden(tmp_path, facts, golden) == golden.content + f"{golden.crc32} 4".encode()


def test_golden_outputs_are_what_tflm_answers(qat_model, qat_graph, photos, golden):
    assert golden.inputs.dtype == np.uint8
    assert golden.outputs.dtype == np.int8
    assert all(any((image == photo).all() for photo in photos[:40]) for image in golden.inputs)
    np.testing.assert_array_equal(
        golden.outputs, interpreters.run(qat_model, interpreters.quantize_input(golden.inputs, qat_graph))
    )
    assert golden.sha256 == hashlib.sha256(golden.inputs.tobytes() + golden.outputs.tobytes()).hexdigest()
    assert golden.classes == tuple(golden.outputs.argmax(axis=1))


def test_golden_vectors_differ_in_class_as_far_as_possible(qat_model, qat_graph, photos):
    answers = np.eye(10, dtype=np.int8)[[2, 2, 2, 5, 2, 5, 0, 0]]
    golden = golden_vectors.golden_vectors(qat_model, photos[:8], count=5, outputs=answers)
    np.testing.assert_array_equal(golden.inputs, photos[[0, 3, 6, 1, 5]])
    alone = golden_vectors.golden_vectors(qat_model, photos[:8], count=8, outputs=answers)
    assert len({image.tobytes() for image in alone.inputs}) == 8


def test_codes_come_back_as_pixels_where_they_are_pixels(qat_model, qat_graph, photos, codes, golden):
    again = golden_vectors.golden_vectors(qat_model, codes[:40])
    assert again.content == golden.content


def test_another_input_quantization_keeps_the_models_codes(autoencoder_model, facts, tmp_path):
    other = dataclasses.replace(facts, arena=shipping(facts, autoencoder_model), symbol="weights")
    graph = autoencoder_model.graph
    codes = np.random.default_rng(1).integers(-128, 128, (6, 64)).astype(np.int8)
    graph = dataclasses.replace(graph, inputs=(dataclasses.replace(graph.inputs[0], scales=(0.1,)),))
    golden = golden_vectors.golden_vectors(dataclasses.replace(autoencoder_model, graph=graph), codes, count=3)
    assert golden.inputs.dtype == np.int8
    text = integrity.render(other, golden)["golden_vectors.h"]
    assert "^ 0x80" not in text
    assert "extern const int8_t kGoldenInputs" in text
    assert _read_golden(tmp_path, other, golden) == golden.content + f"{golden.crc32} 3".encode()


@pytest.mark.parametrize("count", [-1, 0, 5])
def test_a_number_of_vectors_that_cannot_be_is_refused(qat_model, qat_graph, photos, count):
    with pytest.raises(UserError, match=f"{count} golden vectors of 4 images"):
        golden_vectors.golden_vectors(qat_model, photos[:4], count=count)


def test_vectors_of_another_model_do_not_compile(tmp_path, facts, golden):
    cxx = read_back.find_compiler() or pytest.skip("no C++ compiler on PATH")
    content = facts.model.content[:-1] + bytes([facts.model.content[-1] ^ 1])
    other = dataclasses.replace(facts, arena=shipping(facts, dataclasses.replace(facts.model, content=content)))
    for name, text in {**model_data.render(facts), **integrity.render(other, golden)}.items():
        (tmp_path / name).write_text(text)
    command = [cxx, *FLAGS, "-fsyntax-only", str(tmp_path / "golden_vectors.cc")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "these golden vectors belong to another model" in done.stderr


def test_rendering_repeats_and_says_where_it_comes_from(facts, golden):
    files = integrity.render(facts, golden)
    assert files == integrity.render(facts, golden)
    assert tuple(files) == integrity.FILES
    for text in files.values():
        assert facts.command in text
        assert facts.model.sha256 in text
        assert model_facts.package_version() in text
        assert max(map(len, text.splitlines())) <= 120
    assert golden.sha256 in files["golden_vectors.h"]
    assert "GENERATED" not in files["golden_vectors.h"]
    generated = integrity.render(dataclasses.replace(facts, images_are_real=False), golden)
    assert "4 GENERATED images" in generated["golden_vectors.h"]
