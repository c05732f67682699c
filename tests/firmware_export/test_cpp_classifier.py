"""The generated classifier against TFLM's interface; a real TFLM is linked outside the test suite."""

import shutil
import subprocess
from pathlib import Path

import pytest
from host_compiler import compile_program

from firmware_export import compiler, cpp_classifier, integrity, margin, model_data

TFLM = Path(__file__).parent / "tflm"
HEADERS = (
    "tensorflow/lite/micro/micro_interpreter.h",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h",
    "tensorflow/lite/micro/micro_profiler_interface.h",
    "tensorflow/lite/schema/schema_generated.h",
)
UNSURE = margin.Unsure(least_margin=20, reason="Chosen by hand for the test.")


@pytest.fixture
def sources(facts, photos, tmp_path):
    """The folder's files and TFLM's interface, ready to be compiled."""
    golden = integrity.golden_vectors(facts.model, facts.graph, photos[:8], count=2)
    texts = model_data.render(facts) | integrity.render(facts, golden) | cpp_classifier.render(facts, UNSURE)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for header in HEADERS:
        (tmp_path / header).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / header).write_text('#include "tflm_interface.h"\n')
    for file in TFLM.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", compiler.COMPILERS[:2])
def test_every_answer(sources, facts, name):
    if shutil.which(name) is None:
        pytest.skip(f"no {name}: apt-get install {'g++' if name == 'g++' else 'clang'}")
    names = ("model_data.cc", "integrity.cc", "golden_vectors.cc", "classifier.cc", "classifier_checks.cc")
    program = sources / "checks"
    macros = [f"-DMODEL_SYMBOL={facts.symbol}", f"-DOPERATORS={len(facts.graph.operator_names)}"]
    files = [str(sources / file) for file in names]
    compile_program(name, [*macros, "-I", str(sources), *files], str(program))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("0 failures\n", 0), done.stderr


def test_text_says_where_the_margin_comes_from(facts):
    header = cpp_classifier.render(facts, UNSURE)["classifier.h"]
    assert "kLeastMargin = 20;" in header
    assert "// Chosen by hand for the test." in header
    assert "kLeastMargin = 0;" in cpp_classifier.render(facts, margin.ALWAYS_ANSWERS)["classifier.h"]
