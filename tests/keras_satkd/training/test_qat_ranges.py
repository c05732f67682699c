import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras

from firmware_export.tflite.convert import load_keras, quantized_aware_to_int8
from firmware_export.tflite.reader import read
from keras_satkd.models import students
from keras_satkd.training.qat_ranges import WITHIN_RANGE, fix_ranges

pytestmark = pytest.mark.slow


def ranges(quantized) -> dict[str, list[float]]:
    found = {}
    for layer in quantized.layers:
        for variable in layer.variables:
            name = variable.name.split("/")[-1]
            if "output_m" in name or "post_activation_m" in name:
                found.setdefault(layer.name, []).append(float(variable))
    return found


@pytest.fixture
def images(image_set):
    return image_set(32).images


@pytest.fixture
def student():
    tf_keras.utils.set_random_seed(0)
    return students.build("resnet8", 16, 3)


@pytest.fixture
def quantized(student, images):
    model = tfmot.quantization.keras.quantize_model(student)
    fix_ranges(model, student, images)
    return model


def test_every_activation_has_the_range_of_nearly_all_that_the_float_student_shows(student, quantized, images):
    shown = tf_keras.Model(student.inputs, {layer.name: layer.output for layer in student.layers[1:]}).predict(
        images / np.float32(255), verbose=0
    )
    settled = ranges(quantized)
    # Stem, six further ReLUs, five convolutions that meet in an addition, pooled features, logits.
    assert len(settled) == 14
    for name, (lowest, highest) in settled.items():
        values = np.sort(shown[name.removeprefix("quant_")], axis=None)
        # Of 131,072 values, the stem's, 13 may lie beyond; of the 96 logits none.
        at_most = int(np.ceil(values.size * (1 - WITHIN_RANGE)))
        assert lowest == 0 or values[0] <= lowest <= values[at_most]
        assert highest == 0 or values[-1 - at_most] <= highest <= values[-1]
        assert lowest <= 0 <= highest
        assert highest > lowest


def test_outliers_saturate(student, quantized, images):
    stem = tf_keras.Model(student.inputs, student.get_layer("stem_relu").output)
    values = stem.predict(images / np.float32(255), verbose=0)
    _, highest = ranges(quantized)["quant_stem_relu"]
    assert 0 < np.count_nonzero(values > highest) <= np.ceil(values.size * (1 - WITHIN_RANGE))


def test_dark_images_leave_the_input_at_pixels_divided_by_255(student, images):
    dark = images // 4
    model = tfmot.quantization.keras.quantize_model(student)
    fix_ranges(model, student, dark)
    model(dark / np.float32(255), training=True)
    assert read(quantized_aware_to_int8(model)).graph.has_unit_input


def test_no_batch_moves_a_range(quantized, images):
    before = ranges(quantized)
    quantized(np.ones([4, 16, 16, 3], np.float32) * 9, training=True)
    assert ranges(quantized) == before
    quantized.compile(optimizer=tf_keras.optimizers.SGD(0.1), loss=tf_keras.losses.SparseCategoricalCrossentropy(True))
    weights = quantized.trainable_weights[-1].numpy()
    quantized.fit(images / np.float32(255), np.arange(32) % 3, epochs=2, verbose=0)
    assert ranges(quantized) == before
    assert np.abs(quantized.trainable_weights[-1].numpy() - weights).max() > 0


def test_a_saved_model_has_the_same_ranges_and_outputs(quantized, images, tmp_path):
    quantized(images / np.float32(255), training=True)  # the weights' ranges are set by a training step
    quantized.save(tmp_path / "student.h5", save_format="h5")
    loaded = load_keras(tmp_path / "student.h5")
    assert ranges(loaded) == ranges(quantized)
    np.testing.assert_array_equal(loaded(images / np.float32(255)), quantized(images / np.float32(255)))
