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


@pytest.mark.slow
@pytest.mark.parametrize("build", [[], ["-DTF_LITE_STRIP_ERROR_STRINGS"]], ids=["whole", "stripped"])
@pytest.mark.parametrize("name", read_back.COMPILERS[:2])
def test_every_answer(sources, tflm_interface, facts, name, build):
    if shutil.which(name) is None:
        pytest.skip(f"no {name}: apt-get install {'g++' if name == 'g++' else 'clang'}")
    names = ("model_data.cc", "integrity.cc", "golden_vectors.cc", "classifier.cc")
    program = sources / "checks"
    macros = [*build, f"-DMODEL_SYMBOL={facts.symbol}", f"-DOPERATORS={len(facts.graph.operator_names)}"]
    files = [str(CHECKS), *(str(sources / file) for file in names)]
    compile_program(name, [*macros, "-I", str(sources), "-I", str(tflm_interface), *files], str(program))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("0 failures\n", 0), done.stderr


def test_text_says_where_the_margin_comes_from(facts):
    header = classifier.render(facts, ABSTENTION)["classifier.h"]
    assert "kLeastMargin = 20;" in header
    assert "// Chosen by hand for the test." in header
    assert "kLeastMargin = 0;" in classifier.render(facts, abstention.NO_ABSTENTION)["classifier.h"]
