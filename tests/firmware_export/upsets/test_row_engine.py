"""The harness against TFLM, against an engine without checks, and on a shipped model."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import exporting
import numpy as np
import pytest
import row_models

from firmware_export.common.errors import UserError
from firmware_export.rows import golden
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, reader
from firmware_export.upsets import folder, plan, regions, row_engine
from firmware_export.upsets.outcomes import Outcome
from firmware_export.upsets.plan import Injection
from firmware_export.verify import golden_vectors

PRETRAINED = Path(__file__).parents[3] / "keras_satkd" / "pretrained"


def network(builder, given):
    x = builder.convolution(given, 4, (3, 3), (2, 2), "SAME", "RELU")
    return builder.dense(builder.mean(x), 5, "NONE")


def _inject(exported, harness, drawn, work):
    layout, program = harness
    return row_engine.inject(exported, layout, program, drawn, work=work, jobs=1)


def test_outcomes_are_those_of_tflm(tmp_path):
    """Every bit of some weights of the first layer, changed in the model, too.

    The input's zero point is 0. The row engine folds any other into the bias, so its flipped weight is multiplied by
    the code, and TFLM's by the code minus the zero point.
    """
    path = tmp_path / "firmware"
    exporting.export(row_models.model(network, (1, 9, 7, 3), seed=2, quantization=(1 / 64, 0)), path, engine="both")
    exported = folder.read(path, "codes")
    layout = row_engine.build(exported, tmp_path / "program")
    model = reader.read(exported.model)
    weights = model.constant(model.graph.operators[0].inputs[1]).tobytes()
    place = exported.model.index(weights)
    member = next(member for member in layout.members if member.name == "weights_1")
    flips = [(byte, bit) for byte in range(0, len(weights), 9) for bit in range(8)]
    drawn = [Injection(f"1 b c {member.start + byte} {bit}", "weights", "1", "") for byte, bit in flips]
    found = _inject(exported, (layout, tmp_path / "program"), drawn, tmp_path / "work")
    codes = exported.codes[1][np.newaxis]
    expected = interpreters.TflmInterpreter(model).invoke(codes).copy()
    for (byte, bit), each in zip(flips, found, strict=True):
        damaged = bytearray(exported.model)
        damaged[place + byte] ^= 1 << bit
        outputs = interpreters.TflmInterpreter(dataclasses.replace(model, content=bytes(damaged))).invoke(codes)
        outcome = Outcome.DIFFERS if outputs.argmax() == expected.argmax() else Outcome.WRONG
        assert each.outcome is (Outcome.MASKED if np.array_equal(outputs, expected) else outcome)
        assert each.by_scrub
    assert len({each.outcome for each in found}) > 1


def test_flips_at_every_moment(exported, harness, tmp_path):
    """A flip of a byte that is about to be read changes the outputs; the same flip after the last layer does not."""
    layout, _ = harness
    last = len(layout.steps) - 1
    output = layout.outputs[-1]
    names = [f"r{layout.rows}", f"s{last}"]
    drawn = [Injection(f"0 {name} x {output} 7", "activations", "", "") for name in names]
    at_end, before_last_layer = _inject(exported, harness, drawn, tmp_path)
    assert at_end.outcome in (Outcome.DIFFERS, Outcome.WRONG)
    assert before_last_layer.outcome is Outcome.MASKED


def test_no_answer_is_wrong_by_control_state(exported, harness, tmp_path):
    layout, _ = harness
    drawn = [each for each in plan.draw(layout, 4, 300, 3) if each.region.partition(",")[0] in regions.CONTROL]
    found = Counter(each.outcome for each in _inject(exported, harness, drawn, tmp_path))
    assert found[Outcome.WRONG] == found[Outcome.DIFFERS] == found[Outcome.HANG] == 0
    assert found[Outcome.REFUSED] > 0.9 * len(drawn)


def test_a_campaign_survives_crashes(changed_path, tmp_path):
    """In an engine that checks no counter and no layer."""
    changes = {
        "satkd_engine.c": {"step >= layer.steps": "step == 0xffffffffu"},
        "satkd_engine_checks.c": {
            "return satkd_is_sum(satkd_sum_of(layer, words)": "return true || satkd_is_sum(0",
            "return satkd_is_sum(satkd_copy_words(copy, layer, words), &layer->check)": (
                "return satkd_copy_words(copy, layer, words) != 1u"
            ),
        },
    }
    for name, replaced in changes.items():
        text = (changed_path / name).read_text()
        for check, without in replaced.items():
            assert check in text
            text = text.replace(check, without)
        (changed_path / name).write_text(text)
    exported = folder.read(exporting.resealed(changed_path), "changed")
    program = tmp_path / "program"
    layout = row_engine.build(exported, program)
    drawn = [each for each in plan.draw(layout, 4, 300, 0) if each.region.startswith("layer descriptors")]
    found = row_engine.inject(exported, layout, program, drawn, work=tmp_path / "work", jobs=2)
    counts = Counter(each.outcome for each in found)
    assert len(found) == len(drawn)
    assert counts[Outcome.CRASH] > 0
    assert counts[Outcome.WRONG] > 0


def test_without_a_compiler(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no C compiler on PATH"):
        row_engine.build(exported, tmp_path / "program")


def test_a_changed_model(changed_path, tmp_path):
    file = changed_path / "satkd_model.c"
    text = file.read_text()
    start = text.index(".weights_1 = {\n") + len(".weights_1 = {\n")
    end = text.index(",", start)
    file.write_text(f"{text[:start]}    {(int(text[start:end]) + 1) % 100}{text[end:]}")
    with pytest.raises(UserError, match="has a changed model"):
        row_engine.build(folder.read(exporting.resealed(changed_path), "x"), tmp_path / "program")


def test_c_that_does_not_compile(changed_path, tmp_path):
    (changed_path / "satkd_engine.c").write_text("int;\nnonsense\n")
    with pytest.raises(UserError, match=r"fails on the row engine of .*error"):
        row_engine.build(folder.read(exporting.resealed(changed_path), "x"), tmp_path / "program")


@pytest.mark.slow
def test_no_answer_of_a_shipped_model_is_wrong_by_control_state(tmp_path):
    model = reader.read((PRETRAINED / "resnet8_eurosat_int8.tflite").read_bytes())
    images = np.random.default_rng(0).integers(0, 256, (2, *model.graph.inputs[0].shape[1:]), dtype=np.uint8)
    vectors = golden_vectors.golden_vectors(model, images, count=2)
    rows = compile_rows(model, "make test")
    texts = rows.files | golden.render(model, "make test", rows, vectors, images_are_real=False)
    path = tmp_path / "firmware"
    path.mkdir()
    for name, text in texts.items():
        (path / name).write_text(text)
    report = {
        "symbol": "model",
        "sha256": model.sha256,
        "files": sorted(texts),
        "rows": {"prefix": "satkd"},
        "golden_vectors": {"count": 2, "sha256": vectors.sha256},
        "input_shape": list(model.graph.inputs[0].shape),
        "has_unit_input": True,
    }
    (path / "export.json").write_text(json.dumps(report))
    exported = folder.read(path, "shipped")
    program = tmp_path / "program"
    layout = row_engine.build(exported, program)
    drawn = [each for each in plan.draw(layout, 2, 1000, 0) if each.region.partition(",")[0] in regions.CONTROL]
    found = row_engine.inject(exported, layout, program, drawn, work=tmp_path / "work", jobs=2)
    counts = Counter(each.outcome for each in found)
    assert counts[Outcome.WRONG] == counts[Outcome.DIFFERS] == counts[Outcome.HANG] == 0
    assert counts[Outcome.REFUSED] > 0.9 * len(drawn)
