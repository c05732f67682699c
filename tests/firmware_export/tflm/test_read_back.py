import pytest

from firmware_export.common.errors import UserError
from firmware_export.tflm import read_back

SYMBOL = "g_x_model_data"
MODEL = bytes(range(1, 30))


def _files(text=None, extra=""):
    array = ", ".join(f"0x{byte:02x}" for byte in MODEL)
    return {
        "model_data.h": f"extern const unsigned char {SYMBOL}[];\nextern const unsigned int {SYMBOL}_size;\n",
        "model_data.cc": text
        or f'#include "model_data.h"\nalignas(16) const unsigned char {SYMBOL}[] = {{\n{array},\n}};\n'
        f"const unsigned int {SYMBOL}_size = {len(MODEL)};\n{extra}",
    }


needs_compiler = pytest.mark.skipif(read_back.find_compiler() is None, reason="no C++ compiler on PATH")


@needs_compiler
def test_bytes_come_back_from_the_program():
    assert read_back.check_array(_files(), SYMBOL, MODEL)


def test_a_changed_byte_is_seen_without_a_compiler(monkeypatch):
    monkeypatch.setattr(read_back, "find_compiler", lambda: None)
    with pytest.raises(UserError, match="does not contain the model's bytes"):
        read_back.check_array(_files(), SYMBOL, MODEL[:-1] + b"\x00")


def test_without_a_compiler_the_text_is_read_and_none_returned(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert read_back.find_compiler() is None
    assert read_back.check_array(_files(), SYMBOL, MODEL) is None


@needs_compiler
def test_a_wrong_length_is_seen_by_running():
    files = _files()
    files["model_data.cc"] = files["model_data.cc"].replace(f"= {len(MODEL)};", f"= {len(MODEL) - 1};")
    with pytest.raises(UserError, match="to other bytes than the model's"):
        read_back.check_array(files, SYMBOL, MODEL)


@needs_compiler
def test_a_warning_is_an_error():
    with pytest.raises(UserError, match="unused"):
        read_back.check_array(_files(extra="static int unused_function() { return 1; }\n"), SYMBOL, MODEL)


def test_a_broken_compiler_is_named(monkeypatch, tmp_path):
    script = tmp_path / "g++"
    script.write_text("#!/bin/sh\necho 'fatal error: no backend' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(read_back, "find_compiler", lambda: str(script))
    with pytest.raises(UserError, match=r"g\+\+ failed on the generated files \(fatal error: no backend\)"):
        read_back.check_array(_files(), SYMBOL, MODEL)
