"""The engine's own files, which are the same in every export."""

import re

import pytest
import row_models
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.rows import engine
from firmware_export.rows.compile import compile_rows


def _members(text, name):
    """The words of a structure in `satkd_engine.h`, in order, with those of the structures in it."""
    body = re.search(rf"typedef struct {name} \{{\n(.*?)\n\}} {name};", text, re.DOTALL)[1]
    for line in body.splitlines():
        kind, member, length = re.match(r"  (\w+) (\w+)(?:\[(\d)\])?;", line).groups()
        if kind.startswith("satkd_"):
            yield from (f"{member}.{inner}" for inner in _members(text, kind))
        elif length is not None:
            yield from (f"{member}.{kernels}" for kernels in engine.KERNELS)
        else:
            assert kind in ("uint32_t", "int32_t")
            yield member


@pytest.mark.parametrize(("name", "words"), [("layer", engine.LAYER), ("fill", engine.FILL), ("model", engine.MODEL)])
def test_words_are_those_of_the_header(name, words):
    assert tuple(_members(engine.files()["satkd_engine.h"], f"satkd_engine_{name}")) == words


def test_numbers_are_those_of_the_headers():
    header, private = (engine.files()[name] for name in ("satkd_engine.h", "satkd_engine_kernels.h"))
    kinds = re.findall(r"  SATKD_ENGINE_(\w+) = (\d+)", header)
    expected = [
        *enumerate(engine.KINDS, start=1),
        *enumerate(engine.ELEMENTWISE_KINDS, start=engine.FIRST_ELEMENTWISE_KIND),
        *enumerate(engine.STRUCTURE_KINDS, start=engine.FIRST_STRUCTURE_KIND),
    ]
    assert kinds == [(name, str(number)) for number, name in expected]
    assert f"#define SATKD_ENGINE_KERNEL_ROWS {engine.MOST_KERNEL_ROWS}\n" in private
    assert len(list(_members(header, "satkd_engine_layer"))) == len(engine.LAYER)
    for kernels, number in zip(("PORTABLE", "DSP", "MVE"), range(3), strict=True):
        assert f"#define SATKD_ENGINE_{kernels} {number}" in engine.files()["satkd_engine_kernels.c"]


def test_the_header_states_version_and_digest():
    assert f'#define SATKD_ENGINE_SHA256 "{engine.digest()}"\n' in engine.files()["satkd_engine.h"], (
        "the engine changed: write the new digest, and a new version if models of the old one do not fit"
    )
    assert engine.version() == 5


_BITS = st.tuples(st.integers(0, 41), st.integers(0, 31))  # the last two words are the check itself


@given(st.lists(st.integers(0, 2**32 - 1), min_size=40, max_size=40), _BITS, st.none() | _BITS)
def test_one_or_two_flipped_bits_are_seen(words, first, second):
    stored = [*words, *engine.check(words)]
    for word, bit in {first, second} - {None}:
        stored[word] ^= 1 << bit
    assert engine.check(stored[:40]) != tuple(stored[40:])


@given(st.lists(st.integers(0, 2**32 - 1), min_size=9, max_size=9), st.integers(0, 8), st.integers(1, 2**32 - 1))
def test_any_change_of_a_word_is_seen(words, place, change):
    changed = [*words[:place], words[place] ^ change, *words[place + 1 :]]
    assert engine.check(changed) != engine.check(words)


def test_every_export_has_the_same_engine():
    models = [row_models.every_layer(), row_models.model(lambda b, x: b.mean(x), (1, 8, 6, 4))]
    exports = [
        compile_rows(model, "make", prefix).files for model, prefix in zip(models, ("cloud", "satkd"), strict=True)
    ]
    for files in exports:
        assert {name: files[name] for name in engine.files()} == engine.files()
        for name, text in files.items():
            assert name in engine.files() or "satkd_crc32" not in text


def test_public_header_reads_no_compiler_macros():
    code = re.sub(r"/\*.*?\*/", "", engine.files()["satkd_engine.h"], flags=re.DOTALL)
    assert set(re.findall(r"#(?:el)?if\w* +(.*)", code)) == {"SATKD_ENGINE_H", "__cplusplus"}


@pytest.mark.parametrize("name", engine.files())
def test_what_the_code_does_without(name):
    """No braces are left out, and the portable path has no extensions of C99."""
    code = re.sub(r"/\*.*?\*/", "", engine.files()[name], flags=re.DOTALL)
    assert "optimize" not in re.sub(r"__OPTIMIZE__", "", code)
    assert "goto" not in code
    for line in code.splitlines():
        assert not re.match(r"\s*(if|for|while) \(.*\)[^{]*;$", line), line
    if not re.search("_(dsp|mve)", name):
        assert not re.search(r"__attribute__|__asm__|__builtin|#pragma", code)
