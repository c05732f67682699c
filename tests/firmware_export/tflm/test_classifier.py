"""The generated classifier against TFLM's interface; a real TFLM is linked outside the test suite."""

import shutil
import subprocess
from pathlib import Path

import pytest
from host_compiler import compile_program

from firmware_export.tflm import classifier, integrity, model_data, read_back
from firmware_export.verify import abstention, golden_vectors

CHECKS = Path(__file__).with_name("classifier_checks.cc")
ABSTENTION = abstention.Abstention(threshold=20, reason="Chosen by hand for the test.")


@pytest.fixture
def sources(facts, photos, tmp_path):
    """The folder's files."""
    golden = golden_vectors.golden_vectors(facts.model, photos[:8], count=2)
    texts = model_data.render(facts) | integrity.render(facts, golden) | classifier.render(facts, ABSTENTION)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


SOURCES = ("model_data.cc", "integrity.cc", "golden_vectors.cc", "classifier.cc")
# How TFLM is built, and how many of the ResNet's three operators with an INT8 registration then have one.
BUILDS = {
    "whole": ([], 3),
    "stripped": (["-DTF_LITE_STRIP_ERROR_STRINGS"], 3),
    "without INT8 registrations": (["-DWITHOUT_INT8_REGISTRATIONS"], 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", read_back.COMPILERS[:2])
def test_every_answer(sources, tflm_interface, facts, name, build):
    _need(name)
    program = sources / "checks"
    options, int8_operators = BUILDS[build]
    macros = [*options, f"-DMODEL_SYMBOL={facts.symbol}", f"-DOPERATORS={len(facts.graph.operator_names)}"]
    macros += [f"-DINT8_OPERATORS={int8_operators}"]
    files = [str(CHECKS), *(str(sources / file) for file in SOURCES)]
    compile_program(name, [*macros, "-I", str(sources), "-isystem", str(tflm_interface), *files], str(program))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("0 failures\n", 0), done.stderr


STATIC_OBJECTS = """
#include "classifier.h"
alignas(16) static uint8_t arena[student_model::kArenaBytes];
static student_model::Classifier global;
student_model::ClassifierStatus Start() {
  static student_model::Classifier local;
  const auto status = local.Init(arena, sizeof arena);
  return status == student_model::ClassifierStatus::kOk ? global.Init(arena, sizeof arena) : status;
}
"""


@pytest.mark.parametrize("name", read_back.COMPILERS[:2])
@pytest.mark.parametrize("optimization", ["-O0", "-O2"])
def test_a_static_classifier_needs_no_constructor_at_run_time(sources, tflm_interface, name, optimization):
    """No entry in .init_array, no guard of a local static, no destructor to register."""
    _need(name)
    (sources / "static.cc").write_text(STATIC_OBJECTS)
    command = [name, "-std=c++17", optimization, "-I", str(sources), "-isystem", str(tflm_interface), "-S", "-o", "-"]
    made = subprocess.run([*command, str(sources / "static.cc")], check=True, capture_output=True, text=True).stdout
    assert "Init" in made
    for word in (".init_array", ".ctors", "__cxa_atexit", "__dso_handle", "__cxa_guard", "_GLOBAL__sub_I"):
        assert word not in made, word


def _need(compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}: apt-get install {'g++' if compiler == 'g++' else 'clang'}")


def test_text_says_that_the_self_test_is_no_integrity_check(facts):
    assert "no integrity check" in classifier.render(facts, ABSTENTION)["classifier.h"]


def test_text_says_where_the_margin_comes_from(facts):
    header = classifier.render(facts, ABSTENTION)["classifier.h"]
    assert "kLeastMargin = 20;" in header
    assert "// Chosen by hand for the test." in header
    assert "kLeastMargin = 0;" in classifier.render(facts, abstention.NO_ABSTENTION)["classifier.h"]
