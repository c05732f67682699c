"""The bounds of a small model, measured with the real tools."""

import shutil

import pytest

from firmware_export.board import emulator
from firmware_export.bounds import measure
from firmware_export.rows import golden
from firmware_export.rows.compile import compile_rows
from firmware_export.verify import golden_vectors

needs_tools = pytest.mark.skipif(not all(map(shutil.which, measure._TOOLS)), reason=emulator.INSTALL)
HEIGHT = 16


@pytest.fixture(scope="module")
def texts(qat_model, photos):
    rows = compile_rows(qat_model, "make test", prefix="cloud")
    vectors = golden_vectors.golden_vectors(qat_model, photos[:8], count=2)
    return rows.files | golden.render(qat_model, "make test", rows, vectors, images_are_real=False)


@pytest.fixture(scope="module")
def bounds(texts):
    return measure.measure(texts, "cloud")


@needs_tools
def test_every_function_has_its_stack(bounds):
    assert bounds.reason is None
    assert set(bounds.stack_bytes) == set(measure._FUNCTIONS)
    assert bounds.stack_bytes["run"] >= bounds.stack_bytes["push_row"] > 0
    assert bounds.stack_bytes["self_test"] > bounds.stack_bytes["run"]


@needs_tools
def test_instructions_of_an_image_are_those_of_its_calls(bounds):
    counts = bounds.instructions
    assert set(counts) == {"begin", "push_row", "finish", "image", "verify", "scrub_step"}
    assert all(0 <= each.least <= each.most for each in counts.values())
    most = counts["begin"].most + HEIGHT * counts["push_row"].most + counts["finish"].most
    assert counts["push_row"].most < counts["image"].least <= counts["image"].most <= most


@needs_tools
@pytest.mark.slow
def test_counts_repeat(texts, bounds):
    assert measure.measure(texts, "cloud") == bounds


@needs_tools
@pytest.mark.slow
def test_more_work_in_a_push_is_counted(texts, bounds):
    """As many instructions more as a loop adds."""
    old = "  return satkd_engine_push_row("
    loop = "  for (volatile int i = 0; i < 100000; ++i) { }\n"
    slower = texts | {"cloud_model.c": texts["cloud_model.c"].replace(old, loop + old)}
    more = measure.measure(slower, "cloud").instructions["push_row"].least - bounds.instructions["push_row"].least
    assert 300_000 <= more <= 800_000


@needs_tools
@pytest.mark.slow
def test_a_larger_frame_is_counted(texts, bounds):
    old = "  return satkd_engine_push_row("
    frame = "  volatile char large[512];\n  large[0] = 0;\n  (void)large[0];\n"
    larger = texts | {"cloud_model.c": texts["cloud_model.c"].replace(old, frame + old)}
    found = measure.measure(larger, "cloud")
    assert found.reason is None
    assert 512 <= found.stack_bytes["push_row"] - bounds.stack_bytes["push_row"] <= 544


RECURSION = """  if (length > 16u) {
    return satkd_crc32(data, 16u, seed) ^ satkd_crc32(data, length - 16u, seed);
  }
"""


@needs_tools
def test_recursion_gives_no_bound(texts):
    old = "uint32_t satkd_crc32(const void *data, size_t length, uint32_t seed) {\n"
    engine = texts["satkd_engine_repair.c"]
    assert old in engine
    found = measure.measure(texts | {"satkd_engine_repair.c": engine.replace(old, old + RECURSION)}, "cloud")
    assert "calls satkd_crc32" in found.reason
    assert (found.stack_bytes, found.instructions) == (None, None)


@needs_tools
@pytest.mark.slow
def test_other_outputs_are_a_defect(texts):
    head, start, tail = texts["cloud_golden.c"].rpartition("    {\n        ")
    first = "1" if tail.startswith("-") else "-1"
    other = texts | {"cloud_golden.c": head + start + first + tail[tail.index(",") :]}
    with pytest.raises(RuntimeError, match="differs from TensorFlow Lite Micro on the emulated core"):
        measure.measure(other, "cloud")


def test_without_a_tool_the_reason_names_it(texts, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    found = measure.measure(texts, "cloud")
    assert found == measure.not_measured(f"arm-none-eabi-gcc was not found on PATH; {emulator.INSTALL} installs it")


@needs_tools
def test_a_model_that_takes_too_long_is_said(texts, monkeypatch):
    monkeypatch.setattr(measure, "SECONDS", 0.01)
    assert "did not end on mps2-an386 in 0.01 s" in measure.measure(texts, "cloud").reason
