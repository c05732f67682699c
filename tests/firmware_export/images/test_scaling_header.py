"""The generated C makes the same code of every sample as Python, as C99 and as C++17."""

import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from host_compiler import SANITIZERS

from firmware_export.common.errors import UserError
from firmware_export.images import scaling, scaling_header
from firmware_export.images.image_set import Bands
from firmware_export.images.scaling import Scaling

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror", "-O1")
LANGUAGES = {"gcc": "-std=c99", "clang": "-std=c99", "g++": "-std=c++17", "clang++": "-std=c++17"}
TWO = Bands(("B04", "a b */ é"), (3, 0), 4)
EVERY = {"uint8": np.arange(256, dtype=np.uint8), "uint16": np.arange(65536, dtype=np.uint16)}

CASES = {
    "12 bits": scaling.full_range(TWO, "uint16", 4095, "the training images use 12 of 16 bits"),
    "16 bits": scaling.full_range(TWO, "uint16", 65535, ""),
    "percentiles": Scaling(TWO, "uint16", (803, 65534), (9241, 65535), "percentiles 0.1 to 99.9"),
    "narrow": Scaling(TWO, "uint16", (1000, 0), (1007, 1), "given: 1000:1007 0:1"),
    "8 bits": Scaling(TWO, "uint8", (3, 0), (90, 254), "given"),
    "identity": scaling.full_range(TWO, "uint8", 255, "8-bit samples"),
    "reflectance": Scaling(TWO, "float32", (-0.01, 0.0), (0.3, 1.0), "given"),
}

PROGRAM = """
#include "satkd_scaling.h"
#include <stdio.h>

int main(void) {{
  static {type} samples[2];
  static uint8_t codes[2];
  while (fread(samples, sizeof samples, 1, stdin) == 1) {{
    satkd_codes(samples, codes, 1u);
    if ((codes[0] != satkd_code(samples[0], 0u)) || (satkd_code(samples[0], SATKD_SCALING_CHANNELS) != 0u)) return 3;
    if (fwrite(codes, sizeof codes, 1, stdout) != 1) return 4;
  }}
  satkd_codes(NULL, codes, 1u);
  satkd_codes(samples, NULL, 1u);
  return 0;
}}
"""


def model(*shape):
    """Stands for a model of this input."""
    return SimpleNamespace(graph=SimpleNamespace(inputs=[SimpleNamespace(shape=shape)]), size=9, sha256="ab" * 32)


def samples_of(made):
    if made.samples != "float32":
        return np.repeat(EVERY[made.samples][:, None], 2, axis=1)
    random = np.random.default_rng(0).uniform(-0.5, 1.5, (65_536, 2)).astype(np.float32)
    random[:256] = (np.arange(256, dtype=np.float32) / 255)[:, None]
    random[256:260] = [[-0.01, 0.3], [0, 1], [np.inf, -np.inf], [0.3, -0.0]]
    return random


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_c_gives_the_same_code_of_every_sample(case, name, tmp_path):
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    made = CASES[case]
    texts = scaling_header.render(made, model(1, 8, 6, 2), "python -m firmware_export", "satkd")
    assert list(texts) == ["satkd_scaling.h"]
    (tmp_path / "satkd_scaling.h").write_text(texts["satkd_scaling.h"])
    source, program = tmp_path / "main.c", tmp_path / "main"
    source.write_text(PROGRAM.format(type=scaling_header._TYPES[made.samples]))
    language = ["-x", "c++"] if name.endswith("++") else []
    words = [name, LANGUAGES[name], *WARNINGS, *SANITIZERS, *language, str(source), "-o", str(program)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    given = samples_of(made)
    ran = subprocess.run([program], input=given.tobytes(), capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    with np.errstate(invalid="ignore"):
        expected = made.codes(given)
    np.testing.assert_array_equal(np.frombuffer(ran.stdout, np.uint8).reshape(-1, 2), expected)


def test_the_header_says_what_the_ranges_are():
    text = scaling_header.render(CASES["12 bits"], model(1, 8, 6, 2), "python", "satkd")["satkd_scaling.h"]
    assert "code = 256 (sample - low) / (high - low + 1), rounded down" in text
    assert "0        B04               4 of 4               0..4095" in text
    assert "the training images use 12 of 16 bits" in text
    assert "#define SATKD_SCALING_ROW_PIXELS 6u" in text


def test_without_a_scaling_there_is_no_header():
    assert scaling_header.render(None, model(1, 8, 6, 2), "python", "satkd") == {}
    assert scaling_header.is_scaling(scaling_header.name("any"))
    assert not scaling_header.is_scaling("satkd_monitor.h")


@pytest.mark.parametrize("shape", [(1, 8, 6, 3), (1, 12)])
def test_other_channels_than_the_model_are_refused(shape):
    with pytest.raises(UserError, match=r"--scaling is for 2 channels, the model's input is \[1, "):
        scaling_header.check(CASES["12 bits"], model(*shape))
