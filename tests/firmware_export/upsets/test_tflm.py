import pytest

from firmware_export.tflite import reader
from firmware_export.upsets import tflm
from firmware_export.upsets.outcomes import Outcome

ELSEWHERE = (tflm.AT_START, tflm.ARENA)


@pytest.fixture(scope="module")
def spans(exported):
    return tflm.spans(exported.model, 1 << 12)


def test_regions_are_the_whole_file(spans, exported):
    parts = sorted(
        (start, end) for name, each in spans.regions.items() if name not in ELSEWHERE for start, end, _, _ in each
    )
    assert [start for start, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == len(exported.model)
    assert sum(spans.bits(name) for name in spans.regions if name not in ELSEWHERE) == 8 * len(exported.model)


def test_weights_and_biases_are_the_models(spans, exported):
    model = reader.read(exported.model)
    operators = [operator for operator in model.graph.operators if len(operator.inputs) > 2]
    for position, region in ((1, tflm.WEIGHTS), (2, tflm.BIASES)):
        expected = sorted(model.constant(operator.inputs[position]).tobytes() for operator in operators)
        assert sorted(exported.model[start:end] for start, end, _, _ in spans.regions[region]) == expected
    assert spans.regions[tflm.WEIGHTS][0][2].startswith("1: CONV_2D") or len(operators) > 1


def test_draws_are_in_their_regions(spans):
    drawn = tflm.draw(spans, 4, 30, 0)
    assert drawn == tflm.draw(spans, 4, 30, 0)
    for injection in drawn:
        image, moment, byte, bit = injection.line.split()
        assert any(start <= int(byte) < end for start, end, _, _ in spans.regions[injection.region])
        assert (int(image) < 4, int(bit) < 8) == (True, True)
        assert moment == {tflm.AT_START: "b", tflm.ARENA: "r"}.get(injection.region, "a")


def test_injections_are_run_and_survived(exported, tmp_path):
    spans = tflm.spans(exported.model, tflm.arena_bytes(exported))
    drawn = tflm.draw(spans, 4, 60, 0)
    found = tflm.inject(exported, drawn, work=tmp_path, jobs=1)
    outcomes = {d.region: {f.outcome for e, f in zip(drawn, found, strict=True) if e.region == d.region} for d in drawn}
    assert {e.region for e, f in zip(drawn, found, strict=True) if not f.by_scrub} == {tflm.ARENA}
    assert outcomes[tflm.AT_START] & {Outcome.CRASH, Outcome.REFUSED}
    assert outcomes[tflm.BIASES] & {Outcome.DIFFERS, Outcome.WRONG}
    # What TFLM keeps in the arena from image to image is read, the rest is written before it is.
    assert Outcome.MASKED in outcomes[tflm.ARENA]
    assert len(outcomes[tflm.ARENA]) > 1
