"""Operators that move codes compute what TensorFlow Lite Micro computes, or are refused with the reason."""

import json
import shutil

import numpy as np
import pytest
import row_models
import rows_server
import structure_graphs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from firmware_export.board import emulator
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.rows import golden
from firmware_export.rows.compile import compile_rows
from firmware_export.rows.layers import Mean, Reshape
from firmware_export.rows.layers_structure import Concatenation, Reduction, Selection
from firmware_export.rows.lower import lower
from firmware_export.rows.lower_structure import _nearest
from firmware_export.tflite import reader
from firmware_export.verify import golden_vectors

PLANE = (1, 6, 5, 4)
A_PROGRAM = 10
IMAGES = 3


def _check(program, models):
    """Every output is TFLM's, for codes over their whole range."""
    generator = np.random.default_rng(0)
    codes = [generator.integers(-128, 128, (IMAGES, *m.graph.inputs[0].shape[1:])).astype(np.int8) for m in models]
    rows_server.compare(program, models, codes)


def _cases(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("examples", [2, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", structure_graphs.KINDS)
def test_every_output_is_tflms(server, kind, examples):
    @_cases(examples)
    @given(st.lists(structure_graphs.models(kind), min_size=A_PROGRAM, max_size=A_PROGRAM))
    def test(drawn):
        _check(server, [reader.read(content) for content in drawn])

    test()


@pytest.fixture(scope="module")
def exported():
    """The row engine's files of a model with every operator, and TFLM's outputs."""
    model = row_models.structure()
    rows = compile_rows(model, "make test")
    images = np.random.default_rng(1).integers(0, 256, (8, 8, 6, 3), dtype=np.uint8)
    vectors = golden_vectors.golden_vectors(model, images, count=8)
    said = {"symbol": "unused", "rows": {"prefix": "satkd"}, "files": ["satkd_model.c"]}
    texts = golden.render(model, "make test", rows, vectors, images_are_real=False)
    return rows.files | texts | {"export.json": json.dumps(said)}


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, (emulator.COMPILER, emulator.C_COMPILER, emulator.EMULATOR))), reason=emulator.INSTALL
)
@pytest.mark.parametrize("machine", sorted(emulator.MACHINES))
def test_emulated_cores_answer_as_tflm(machine, exported, tmp_path):
    folder = tmp_path / "exported"
    folder.mkdir()
    for name, text in exported.items():
        (folder / name).write_text(text)
    elf = emulator.build(folder, emulator.MACHINES[machine], tmp_path / "checks.elf", Engine.ROWS)
    printed = emulator.run(elf, machine)
    assert all(line.startswith("ok ") for line in printed.splitlines()), printed
    assert "ok outputs for the golden vectors\n" in printed


def _layers(build, shape=PLANE):
    return lower(row_models.model(build, shape)).layers


def _kinds(build, shape=PLANE):
    return [type(layer) for layer in _layers(build, shape)]


@pytest.mark.parametrize(
    ("axes", "kinds"),
    [
        ((1, 2), [Mean]),
        ((2,), [Reduction]),
        ((1,), [Reduction, Reshape]),
        ((3,), [Reduction]),
        ((-1, 1), [Reduction]),
        ((0, 1, 2, 3), [Reduction]),
    ],
)
def test_means_by_their_axes(axes, kinds):
    assert _kinds(lambda b, x: b.mean_over(x, axes, keeps_rank=False)) == kinds


def test_only_means_across_rows_keep_sums():
    rows, columns = (_layers(lambda b, x, axis=axis: b.mean_over(x, (axis,), keeps_rank=True))[0] for axis in (1, 2))
    assert (rows.sums, columns.sums) == (5 * 4, 0)


def test_transposing_dimensions_of_one_is_a_copy():
    assert _kinds(lambda b, x: b.transpose(x, (0, 2, 1, 3)), (1, 1, 5, 4)) == [Reshape]
    assert _kinds(lambda b, x: b.transpose(x, (0, 1, 3, 2)), (1, 3, 5, 4)) == [Selection]


def test_three_tensors_are_joined_one_after_another():
    layers = _layers(lambda b, x: b.concatenation([x, x, x], 3))
    assert [type(layer) for layer in layers] == [Concatenation, Concatenation]
    assert [layer.output.channels for layer in layers] == [8, 12]
    assert _kinds(lambda b, x: b.concatenation([x], 3)) == [Reshape]


def test_a_split_takes_only_the_parts_that_are_used():
    assert _kinds(lambda b, x: b.split(x, 3, 4)[2]) == [Selection]


@pytest.mark.parametrize(
    ("sizes", "options", "expected"),
    [
        ((3, 6), {"aligns": False, "centers": False}, [0, 0, 1, 1, 2, 2]),
        ((2, 5), {"aligns": True, "centers": False}, [0, 0, 1, 1, 1]),
        ((3, 2), {"aligns": False, "centers": True}, [0, 2]),
        ((4, 1), {"aligns": True, "centers": False}, [0]),
    ],
)
def test_nearest_positions(sizes, options, expected):
    assert _nearest(*sizes, **options).tolist() == expected


def _other_scales(builder, given):
    other = builder.relu("RELU", given)
    return builder.concatenation([given, other], 3)


def _fused_concatenation(builder, given):
    output = builder.concatenation([given, given], 3)
    builder.operators[-1].builtinOptions.fusedActivationFunction = 1
    return output


def _new_axis(builder, given):
    output = builder.strided_slice(given, [slice(None)] * 4)
    builder.operators[-1].builtinOptions.newAxisMask = 1
    return output


def _outside(builder, given):
    output = builder.slice(given, (0, 0, 0, 2), (1, 6, 5, 2))
    builder.buffers[1].data = np.frombuffer(np.array([0, 0, 0, 3], np.int32).tobytes(), np.uint8)
    return output


def _wrong_order(builder, given):
    output = builder.transpose(given, (0, 1, 2, 3))
    builder.buffers[1].data = np.frombuffer(np.array([0, 1, 1, 3], np.int32).tobytes(), np.uint8)
    return output


def _no_such_axis(builder, given):
    output = builder.mean_over(given, (2,), keeps_rank=True)
    builder.buffers[1].data = np.frombuffer(np.array([7], np.int32).tobytes(), np.uint8)
    return output


def _wrong_size(builder, given):
    output = builder.resize(given, (6, 5), aligns=False, centers=False)
    builder.buffers[1].data = np.frombuffer(np.array([9, 5], np.int32).tobytes(), np.uint8)
    return output


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_other_scales, r"\(CONCATENATION, .*inputs of other scales"),
        (_fused_concatenation, r"\(CONCATENATION, .*fused activation RELU"),
        (_new_axis, r"\(STRIDED_SLICE, .*new axis"),
        (_outside, r"\(SLICE, .*selects \[1, 6, 5, 2\] of \[1, 6, 5, 4\]"),
        (_wrong_order, r"\(TRANSPOSE, .*permutes 4 dimensions by \[0, 1, 1, 3\]"),
        (_no_such_axis, r"\(MEAN, .*names dimension 7 of 4"),
        (_wrong_size, r"\(RESIZE_NEAREST_NEIGHBOR, .*resizes \(6, 5, 4\) to \[9, 5\]"),
    ],
)
def test_what_does_not_fit_is_refused(build, message, monkeypatch):
    # LiteRT refuses some of these files, and the row engine must not depend on it.
    monkeypatch.setattr(reader, "_check_bytes", lambda content, name: False)
    with pytest.raises(UserError, match=message):
        _layers(build)
