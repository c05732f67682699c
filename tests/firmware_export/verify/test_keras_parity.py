import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.verify import keras_parity


@pytest.fixture(scope="module")
def outputs(qat_model, codes):
    return interpreters.run(qat_model, codes)


def test_the_trained_graph_agrees_within_one_step(qat_keras, qat_model, qat_graph, codes, outputs):
    parity = keras_parity.check_keras(qat_keras, qat_model, codes, outputs)
    assert (parity.images, parity.elements) == (256, 2560)
    assert parity.largest_difference <= 1
    assert parity.differing < parity.elements / 5


@pytest.mark.parametrize("layer", ["quant_stem", "quant_b1", "quant_logits"])
def test_a_changed_weight_is_found_and_its_layer_named(qat_keras, qat_model, qat_graph, codes, outputs, layer):
    kernel = next(weight for weight in qat_keras.get_layer(layer).weights if "kernel" in weight.name)
    kept = kernel.numpy()
    kernel.assign(kept[..., ::-1])
    try:
        with pytest.raises(UserError, match="disagree by") as caught:
            keras_parity.check_keras(qat_keras, qat_model, codes[:16], outputs[:16])
    finally:
        kernel.assign(kept)
    assert layer.removeprefix("quant_") in str(caught.value)
    assert "or train the student longer in a new --workdir" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("steps", "places", "is_refused"), [(2, 1, False), (2, 3, True), (3, 2, False), (4, 1, True)])
def test_how_much_rounding_may_do(qat_keras, qat_model, qat_graph, codes, steps, places, is_refused):
    """Of 200 outputs two may be beyond one step, and none beyond three."""
    expected = keras_parity.quantize(keras_parity._predict(qat_keras, qat_graph, codes[:20]), qat_graph.outputs[0])
    off = np.clip(expected.astype(int), -100, 100)
    model = type("Same", (), {"input_shape": qat_keras.input_shape})
    off[2, :places] += steps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras_parity, "quantize", lambda *_: np.clip(expected, -100, 100))
        patch.setattr(keras_parity, "_predict", lambda *_: None)
        patch.setattr(keras_parity, "first_departure", lambda *_: "some layer")
        if is_refused:
            with pytest.raises(UserError, match=f"disagree by {steps} output steps on image 2 and by more than one"):
                keras_parity.check_keras(model, qat_model, codes[:20], off.astype(np.int8))
        else:
            parity = keras_parity.check_keras(model, qat_model, codes[:20], off.astype(np.int8))
            assert (parity.differing, parity.beyond_one_step, parity.largest_difference) == (places, places, steps)


def test_differences_of_rounding_alone_are_no_defect(qat_keras, qat_model, qat_graph, codes):
    """Many outputs beyond one step, but every layer of the real models agrees on equal inputs."""
    off = interpreters.run(qat_model, codes[:20]).astype(int)
    off[2:5] -= 2
    parity = keras_parity.check_keras(qat_keras, qat_model, codes[:20], np.clip(off, -128, 127).astype(np.int8))
    assert parity.is_rounding_alone
    assert parity.beyond_one_step > 20


def test_a_change_of_class_within_one_step_is_counted(qat_keras, qat_model, qat_graph, codes):
    expected = keras_parity.quantize(keras_parity._predict(qat_keras, qat_graph, codes), qat_graph.outputs[0])
    best_two = np.sort(expected.astype(int), axis=1)[:, -2:]
    close = int(np.diff(best_two, axis=1)[:, 0].argmin())
    first, second = np.argsort(expected[close].astype(int), kind="stable")[::-1][:2]
    moved = expected[close : close + 1].astype(int)
    moved[0, expected[close].argmax()] -= 1
    moved[0, second if expected[close].argmax() == first else first] += 1
    changed = int(moved.argmax() != expected[close].argmax())
    parity = keras_parity.check_keras(qat_keras, qat_model, codes[close : close + 1], moved.astype(np.int8))
    assert (parity.differing, parity.class_changes) == (2, changed)


def test_another_models_shape_is_refused(qat_keras, qat_model, qat_graph, codes, outputs):
    with pytest.raises(UserError, match=r"output is \[10\], the int8 model's \[9\]"):
        keras_parity.check_keras(qat_keras, qat_model, codes[:2], outputs[:2, :9])
    with pytest.raises(UserError, match=r"input is \[16, 16, 3\], the int8 model's \[8, 16, 3\]"):
        keras_parity.check_keras(qat_keras, qat_model, codes[:2, :8], outputs[:2])
