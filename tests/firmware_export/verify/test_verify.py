"""Everything that is compared before a file is written."""

import dataclasses
import re

import numpy as np
import pytest

from firmware_export.common import defaults
from firmware_export.common.errors import UserError
from firmware_export.drift import monitor, statistics
from firmware_export.memory import offline_plan
from firmware_export.tflite import interpreters, reader
from firmware_export.verify import abstention, golden_vectors, sandbox
from firmware_export.verify import verify as verifying
from firmware_export.verify.verify import Evidence, Stage, read, verify


def _verify(model, images, **evidence):
    return verify(model, Evidence(images=images, **evidence), lambda *step: None)


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def verified(qat_model, qat_keras, photos, told):
    return verify(qat_model, Evidence(images=photos, keras_model=qat_keras), lambda *step: told.append(step))


def test_what_was_found(verified, qat_model, photos, codes):
    assert verified.given is verified.model is qat_model
    assert np.array_equal(verified.codes, codes)
    assert verified.images_are_real
    assert verified.kernel_parity.images == len(photos)
    assert np.array_equal(verified.kernel_parity.outputs, interpreters.run(qat_model, codes))
    assert verified.keras_parity.largest_difference <= 1
    assert verified.abstention is abstention.NO_ABSTENTION
    assert verified.drift is monitor.NO_MONITOR
    assert len(verified.golden.inputs) == golden_vectors.GOLDEN_VECTORS


def test_tells_progress_to_the_end(verified, told, photos):
    done = {stage: [step[1:] for step in told if step[0] is stage] for stage in Stage}
    assert done[Stage.ARENA] == [(0, 1), (1, 1)]
    assert done[Stage.IMAGES] == [(n, len(photos)) for n in range(1, len(photos) + 1)]
    assert done[Stage.COMPILE] == []


def test_without_images_generated_ones_serve(one_convolution):
    found = _verify(reader.read(one_convolution), None)
    assert not found.images_are_real
    assert len(found.codes) == defaults.LEAST_IMAGES


def test_generated_codes_span_the_range_where_the_input_is_no_pixel(one_convolution):
    def change(content):
        content.subgraphs[0].tensors[0].quantization.scale = np.array([0.02], np.float32)

    codes = _verify(reader.read(one_convolution).edited(change), None).codes
    assert (codes.min(), codes.max()) == (-128, 127)


def test_the_threshold_comes_from_labelled_images(qat_model, photos):
    answers = interpreters.predict_int8(qat_model, photos)
    labels = answers.argmax(axis=1)
    hardest = np.argsort(abstention.top_margins(answers))[:10]
    labels[hardest] = (labels[hardest] + 1) % 10  # wrong where the model is least sure
    found = _verify(qat_model, photos, validation=(photos, labels), error_rate=0.05).abstention
    assert found.threshold > 0
    assert found.accuracy == pytest.approx(1 - 10 / 256)
    assert (found.curve.coverage[0], found.curve.risk[0]) == (1.0, pytest.approx(10 / 256))


def test_the_monitor_comes_from_them_too(qat_model, photos):
    labels = np.zeros(len(photos), int)
    found = _verify(qat_model, photos, validation=(photos, labels), false_alarm_rate=0.2, drift_window=9).drift
    assert (found.monitor.window, found.false_alarm_rate, found.images) == (9, 0.2, 256)
    expected = monitor.choose(photos, interpreters.predict_int8(qat_model, photos), labels, 9, 0.2)
    np.testing.assert_array_equal(found.monitor.upper, expected.monitor.upper)
    # Images as codes are the same images.
    codes = interpreters.quantize_input(photos, qat_model.graph)
    again = _verify(qat_model, photos, validation=(codes, labels), false_alarm_rate=0.2, drift_window=9).drift
    np.testing.assert_array_equal(again.monitor.reference.means, expected.monitor.reference.means)
    assert expected.monitor.names == tuple(statistics.meanings(3))


def test_a_monitor_that_cannot_be_is_refused(qat_model, photos):
    labels = np.zeros(len(photos), int)
    for given, words in (
        ({"drift_window": 512}, "drift window 512"),
        ({"false_alarm_rate": 0.0}, "false alarm rate 0"),
    ):
        with pytest.raises(UserError, match=words):
            _verify(qat_model, photos, validation=(photos, labels), **given)


@pytest.mark.parametrize(
    ("labels", "error_rate", "words"),
    [
        (np.zeros(255, int), 0.01, "255 labels from 0 to 0 for 256 validation images of 10 classes"),
        (np.full(256, 10), 0.01, "256 labels from 10 to 10 for"),
        (np.zeros(0, int), 0.01, "0 labels for 256"),
        (np.zeros(256, int), 1.0, "error rate 1, a number between 0 and 1 expected"),
    ],
)
def test_labels_that_do_not_fit_are_refused(qat_model, photos, labels, error_rate, words):
    with pytest.raises(UserError, match=words):
        _verify(qat_model, photos, validation=(photos, labels), error_rate=error_rate)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((256, 16, 16, 3), np.float32), r"images are float32 \[256, 16, 16, 3\], uint8 \[N, 16, 16, 3\]"),
        (np.zeros((256, 8, 8, 3), np.uint8), "expected: resize them"),
        (np.zeros((255, 16, 16, 3), np.uint8), "255 images, at least 256 needed"),
    ],
)
def test_images_that_do_not_fit_are_refused(qat_model, images, words):
    with pytest.raises(UserError, match=words):
        _verify(qat_model, images)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2, 2, 3)])
def test_only_a_classifier_has_margins(one_convolution, shape):
    model = reader.read(one_convolution)
    output = dataclasses.replace(model.graph.outputs[0], shape=shape)
    model = dataclasses.replace(model, graph=dataclasses.replace(model.graph, outputs=(output,)))
    images = np.zeros((256, 4, 4, 3), np.uint8)
    with pytest.raises(UserError, match=rf"the model's output is {re.escape(str(list(shape)))}, a code"):
        _verify(model, images, validation=(images, np.zeros(256, int)))


def test_a_plan_that_overlaps_is_found_out(monkeypatch, skipping_model, photos):
    monkeypatch.setattr(offline_plan, "place", lambda blocks: [0] * len(blocks))
    with pytest.raises(UserError, match="outputs for image 0 differ"):
        _verify(skipping_model, photos)


def test_another_keras_model_fails_and_names_a_layer(qat_model, qat_keras, photos):
    kernel = qat_keras.get_layer("quant_b1").weights[0]
    kept = kernel.numpy()
    kernel.assign(kept[..., ::-1])
    try:
        with pytest.raises(UserError, match="the first layer that differs on equal inputs is 'quant_b1_relu'"):
            _verify(qat_model, photos, keras_model=qat_keras)
    finally:
        kernel.assign(kept)


def test_a_float_keras_model_is_no_yardstick(qat_model, float_keras, photos):
    with pytest.raises(UserError, match="not quantization-aware, so its outputs are not comparable"):
        _verify(qat_model, photos, keras_model=float_keras)


def test_reading_refuses_another_input_only_where_pixels_are_expected(one_convolution, edit_model):
    def change(content):
        content.subgraphs[0].tensors[0].quantization.scale = np.array([0.02], np.float32)

    content = edit_model(one_convolution, change)
    assert read(content, "mine").name == "mine"
    with pytest.raises(UserError, match=r"mine has input scale .*, 1/255 and -128 expected"):
        read(content, "mine", expect_unit_input=True)


def test_the_last_model_is_read_once(monkeypatch, one_convolution):
    verifying._read.cache_clear()
    asked = []
    monkeypatch.setattr(sandbox, "check", lambda content, name, **options: asked.append(name))
    assert read(one_convolution, "mine") is read(one_convolution, "mine")
    read(one_convolution, "yours")
    assert asked == ["mine", "yours"]
