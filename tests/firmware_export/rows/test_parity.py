"""The row engine's answers are TensorFlow Lite Micro's, byte for byte."""

from pathlib import Path

import numpy as np
import pytest
import row_models
import rows_runner
import tiny_models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from int8_graphs import models

import keras_satkd
from firmware_export.common.harden import Harden
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, reader

GRAPHS_A_PROGRAM = 20
IMAGES = 3
LEVELS = (Harden.DETECT, Harden.CONTROL, Harden.CORRECT)
PRETRAINED = Path(keras_satkd.__file__).parent / "pretrained"


def _answers(model, codes):
    interpreter = interpreters.TflmInterpreter(model)
    return np.stack([interpreter.invoke(image[np.newaxis]).reshape(-1) for image in codes])


def _as_given(codes, graph):
    return codes.view(np.uint8) ^ np.uint8(0x80) if graph.has_unit_input else codes


def _check(folder, batch, images=IMAGES):
    """All of a batch of models in one program, on codes over their whole range; levels of hardening take turns."""
    generator = np.random.default_rng(0)
    read = [reader.read(content) for content in batch]
    graphs = [model.graph for model in read]
    codes = [generator.integers(-128, 128, (images, *g.inputs[0].shape[1:])).astype(np.int8) for g in graphs]
    inputs = [_as_given(c, g) for c, g in zip(codes, graphs, strict=True)]
    found = rows_runner.run(folder, read, inputs, levels=LEVELS)
    for model, graph, given_codes, answers in zip(read, graphs, codes, found, strict=True):
        described = [(o.name, o.inputs[0].shape, o.outputs[0].shape) for o in graph.operators]
        assert np.array_equal(answers, _answers(model, given_codes)), described


def _tall(builder, given):
    """Windows of more rows than kernels find the addresses of in advance."""
    x = builder.convolution(given, 4, (9, 2), (1, 1), "SAME", "RELU")
    x = builder.convolution(x, 4, (11, 1), (2, 1), "SAME", "NONE", multiplier=1)
    x = builder.pool("AVERAGE_POOL_2D", x, (9, 1), (1, 1), "SAME", "NONE")
    return builder.mean(builder.pool("MAX_POOL_2D", x, (10, 2), (1, 1), "SAME", "NONE"))


def _deep(builder, given):
    """More layers than a byte of the schedule can number."""
    x = given
    for _ in range(260):
        x = builder.relu("RELU", x)
    return builder.mean(x)


@pytest.mark.parametrize(("build", "height"), [(_tall, 24), (_deep, 2)], ids=["tall", "deep"])
def test_unusual_sizes(build, height, tmp_path):
    model = row_models.model(build, (1, height, 3, 2), seed=6, quantization=(1 / 255, -128))
    codes = np.random.default_rng(0).integers(-128, 128, (IMAGES, height, 3, 2)).astype(np.int8)
    found = rows_runner.run(tmp_path, [model] * 3, [_as_given(codes, model.graph)] * 3, levels=LEVELS)
    assert all(np.array_equal(level, _answers(model, codes)) for level in found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", tiny_models.KINDS)
def test_kinds_of_tiny_models(quantized, kind, tmp_path):
    _check(tmp_path, [quantized(kind)] * 3, images=16)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most_bytes"), [("resnet8", 26 * 1024), ("resnet16", 44 * 1024)])
def test_shipped_students(name, most_bytes, tmp_path):
    content = (PRETRAINED / f"{name}_eurosat_int8.tflite").read_bytes()
    assert compile_rows(reader.read(content), "make test").report.context_bytes <= most_bytes
    _check(tmp_path, [content] * 2, images=4)


class _Model(bytes):
    """Hypothesis prints what it tried; a failed assertion already says which graph it was."""

    def __repr__(self):
        return f"<{len(self)} bytes>"


@pytest.mark.slow
@settings(max_examples=15, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=st.lists(models().map(_Model), min_size=GRAPHS_A_PROGRAM, max_size=GRAPHS_A_PROGRAM))
def test_random_graphs(tmp_path_factory, batch):
    _check(tmp_path_factory.mktemp("graphs"), batch)
