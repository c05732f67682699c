"""Instructions of a small model by kind of layer, counted with the real tools."""

import shutil

import pytest

from firmware_export.board import emulator
from firmware_export.bounds import count, measure
from firmware_export.common.errors import UserError
from firmware_export.rows import golden
from firmware_export.rows.compile import LayerReport, compile_rows
from firmware_export.verify import golden_vectors

TOOLS = (emulator.C_COMPILER, emulator.COMPILER, emulator.EMULATOR)
needs_tools = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=emulator.INSTALL)


@pytest.fixture(scope="module")
def made(qat_model, photos):
    rows = compile_rows(qat_model, "make test", prefix="cloud")
    vectors = golden_vectors.golden_vectors(qat_model, photos[:8], count=2)
    return rows.files | golden.render(qat_model, "make test", rows, vectors, images_are_real=False), rows.report


@pytest.fixture(scope="module")
def counts(made):
    texts, report = made
    return count.try_count(texts, report.layers, "cloud", timeout_seconds=300)


@needs_tools
def test_every_layer_is_counted_on_both_cores(counts, made):
    layers = made[1].layers
    assert [each.core for each in counts] == ["cortex-m4", "cortex-m55"]
    for each in counts:
        assert each.reason is None
        kinds = {kind.kind: kind for kind in each.kinds}
        assert set(kinds) == {count.OTHER, *(layer.kind for layer in layers)}
        assert sum(kind.layers for kind in each.kinds) == len(layers)
        assert sum(kind.macs for kind in each.kinds) == sum(layer.macs for layer in layers)
        assert sum(kind.instructions for kind in each.kinds) == each.instructions
        assert min(kind.instructions for kind in each.kinds) > 0
        assert [kind.instructions for kind in each.kinds] == sorted((k.instructions for k in each.kinds), reverse=True)
    assert counts[1].instructions < counts[0].instructions


@needs_tools
@pytest.mark.slow
def test_the_sum_is_what_is_counted_without_the_hook(counts, made):
    image = measure.measure(made[0], "cloud").instructions["image"]
    assert 0.95 * image.least <= counts[0].instructions <= 1.05 * image.most


@needs_tools
@pytest.mark.slow
def test_more_work_in_a_layer_is_counted_as_its_own(counts, made):
    texts, report = made
    old = "int satkd_engine_compute("
    assert texts["satkd_engine_layers.c"].count(old) == 1
    head, _, tail = texts["satkd_engine_layers.c"].partition(old)
    body = tail.index("{\n") + 2
    loop = "  if (layer->kind == SATKD_ENGINE_MEAN) {\n    for (volatile int i = 0; i < 100000; ++i) { }\n  }\n"
    slower = texts | {"satkd_engine_layers.c": f"{head}{old}{tail[:body]}{loop}{tail[body:]}"}
    found = count.count(slower, report.layers, "cloud", "mps2-an386", timeout_seconds=300)
    before, after = ({kind.kind: kind.instructions for kind in each.kinds} for each in (counts[0], found))
    grown = {kind for kind in before if after[kind] > before[kind] + 50_000}
    assert grown == {"MEAN"}


@needs_tools
def test_other_outputs_are_a_defect(made):
    texts, report = made
    head, start, tail = texts["cloud_golden.c"].partition("golden_outputs")
    brace = tail.index("    {\n        ") + len("    {\n        ")
    first = "1" if tail[brace:].startswith("-") else "-1"
    other = texts | {"cloud_golden.c": head + start + tail[:brace] + first + tail[brace + tail[brace:].index(",") :]}
    with pytest.raises(RuntimeError, match="differs from TensorFlow Lite Micro on the emulated cortex-m4"):
        count.count(other, report.layers, "cloud", "mps2-an386", timeout_seconds=300)


def test_without_a_tool_the_reason_is_said(made, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    found = count.try_count(made[0], made[1].layers, "cloud", timeout_seconds=1)
    assert [each.reason for each in found] == [
        f"arm-none-eabi-gcc not found on PATH: install it with {emulator.INSTALL}"
    ] * 2
    assert [each.instructions for each in found] == [None, None]
    with pytest.raises(UserError, match="arm-none-eabi-gcc not found"):
        count.count(made[0], made[1].layers, "cloud", "mps2-an386", timeout_seconds=1)


def test_layers_of_a_kind_are_added():
    layers = [LayerReport("CONV_2D 3x3", 10), LayerReport("ADD", 0), LayerReport("CONV_2D 3x3", 5)]
    assert count._by_kind([1, 100, 7, 50], layers) == (
        count.KindCount("CONV_2D 3x3", 2, 15, 150),
        count.KindCount("ADD", 1, 0, 7),
        count.KindCount(count.OTHER, 0, 0, 1),
    )
