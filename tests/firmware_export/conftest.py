"""Models, each made once a session, and what is known about one of them."""

import functools
from pathlib import Path

import model_surgery
import numpy as np
import pytest
import tiny_models

from firmware_export.common import defaults
from firmware_export.common.dense_scale import DenseScale
from firmware_export.drift import monitor
from firmware_export.facts import ModelFacts
from firmware_export.images.generated import generated_images
from firmware_export.memory.arena import Arena
from firmware_export.tflite import convert, interpreters, reader
from firmware_export.verify import abstention, golden_vectors
from firmware_export.verify.dense_parity import DenseParity
from firmware_export.verify.kernel_parity import KernelParity, TensorParity
from firmware_export.verify.verify import Verified


@pytest.fixture(scope="session")
def keras():
    tf_keras, _ = convert._libraries()
    return tf_keras


@pytest.fixture(scope="session")
def float_keras(keras):
    return tiny_models.build_resnet(keras)


@pytest.fixture(scope="session")
def qat_keras(keras):
    """A quantization-aware ResNet whose ranges come from a few batches."""
    _, tfmot = convert._libraries()
    model = tfmot.quantization.keras.quantize_model(tiny_models.build_resnet(keras))
    batch = generated_images((tiny_models.SIZE, tiny_models.SIZE, 3), 64, seed=5).astype(np.float32) / 255
    for _ in range(2):
        tiny_models.settle_ranges(model, batch)
    return model


@pytest.fixture(scope="session")
def qat_model(qat_keras):
    return reader.read(convert.quantized_aware_to_int8(qat_keras))


@pytest.fixture(scope="session")
def qat_graph(qat_model):
    return qat_model.graph


@pytest.fixture(scope="session")
def photos():
    """Stand for real images: uint8 [256, 16, 16, 3]."""
    return generated_images((tiny_models.SIZE, tiny_models.SIZE, 3), defaults.LEAST_IMAGES, seed=6)


@pytest.fixture(scope="session")
def codes(photos, qat_graph):
    return interpreters.quantize_input(photos, qat_graph)


@pytest.fixture(scope="session")
def ptq_model(quantized):
    return reader.read(quantized("resnet"))


@pytest.fixture(scope="session")
def edit_model():
    """A function (model or bytes, edit) -> bytes."""
    return model_surgery.edited


@pytest.fixture(scope="session")
def one_convolution():
    """840 bytes: one 4×4 convolution from a 4×4×3 image to three classes."""
    return model_surgery.one_convolution()


@pytest.fixture(scope="session")
def nudge_constant():
    """A function (model, operator index, input position, amount) -> the model with one constant shifted."""

    def nudge(model, operator, position, amount):
        tensor = model.graph.operators[operator].inputs[position]

        def edit(content):
            buffer = content.buffers[content.subgraphs[0].tensors[tensor.index].buffer]
            values = np.frombuffer(bytes(buffer.data), tensor.dtype).astype(np.int64)
            limits = np.iinfo(tensor.dtype)
            moved = np.clip(values + amount, limits.min, limits.max).astype(tensor.dtype)
            buffer.data = np.frombuffer(moved.tobytes(), np.uint8)

        return reader.read(model_surgery.edited(model, edit))

    return nudge


@pytest.fixture(scope="session")
def skipping_model(keras):
    """Two identity blocks in a row, whose maps are all of one size: TFLM's planner leaves a gap."""
    return reader.read(tiny_models.quantized(keras, "skipping"))


@pytest.fixture(scope="session")
def autoencoder_model(quantized):
    return reader.read(quantized("autoencoder"))


@pytest.fixture(scope="session")
def quantized(keras):
    """A function from a kind of model to its int8 bytes."""
    return functools.cache(lambda kind: tiny_models.quantized(keras, kind))


@pytest.fixture(scope="session", params=tiny_models.KINDS)
def kind(request):
    """Each of MLPerf Tiny's kinds of model in turn."""
    return request.param


@pytest.fixture(scope="session")
def facts(qat_model):
    """What an export would say of the quantization-aware model."""
    return ModelFacts(
        arena=Arena(qat_model, least_bytes=9680, given_bytes=9680, margin_bytes=608),
        given_sha256=qat_model.sha256,
        command="python -m firmware_export student.tflite --out firmware",
        symbol=defaults.SYMBOL,
        class_names=(),
        verified_images=256,
        images_are_real=True,
        parity="all agree",
    )


@pytest.fixture(scope="session")
def verified(facts, codes):
    """What `verify` would return of the quantization-aware model, without its work: few images, nothing compared."""
    few = codes[:16]
    outputs = interpreters.run(facts.model, few)
    tensors = [TensorParity(o.name, o.outputs[0].name, elements=o.outputs[0].size) for o in facts.graph.operators]
    return Verified(
        given=facts.model,
        arena=facts.arena,
        codes=few,
        images_are_real=True,
        outputs=outputs,
        kernel_parity=KernelParity(len(few), tensors, outputs),
        dense=DenseParity(DenseScale.DOUBLE),
        keras_parity=None,
        abstention=abstention.NO_ABSTENTION,
        drift=monitor.NO_MONITOR,
        golden=golden_vectors.golden_vectors(facts.model, few, outputs=outputs),
    )


@pytest.fixture(scope="session")
def tflm_interface(tmp_path_factory):
    """A folder to include from, in which each of TFLM's headers that the classifier names leads to the one of ours."""
    folder = tmp_path_factory.mktemp("tflm")
    interface = Path(__file__).parent / "tflm" / "tflm_interface.h"
    for header in (
        "micro/micro_interpreter.h",
        "micro/micro_mutable_op_resolver.h",
        "micro/micro_profiler_interface.h",
        "schema/schema_generated.h",
    ):
        path = folder / "tensorflow" / "lite" / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#include "{interface}"\n')
    return folder


@pytest.fixture
def folder(texts, tmp_path):
    """The files that a module's own `texts` names, as an export lays them."""
    made = tmp_path / "firmware"
    made.mkdir()
    for name, text in texts.items():
        (made / name).write_text(text)
    return made
