import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras

from keras_satkd import students
from keras_satkd.quantization import settle_ranges

pytestmark = pytest.mark.slow


def ranges(quantized) -> dict[str, list[float]]:
    found = {}
    for layer in quantized.layers:
        for variable in layer.variables:
            name = variable.name.split("/")[-1]
            if "output_m" in name or "post_activation_m" in name:
                found.setdefault(layer.name, []).append(float(variable))
    return found


def test_every_activation_starts_from_what_the_float_student_shows(image_set):
    tf_keras.utils.set_random_seed(0)
    student = students.build("resnet8", 16, 3)
    images = image_set(32).images
    quantized = tfmot.quantization.keras.quantize_model(student)
    settle_ranges(quantized, student, images)
    shown = tf_keras.Model(student.inputs, {layer.name: layer.output for layer in student.layers[1:]}).predict(
        images / np.float32(255), verbose=0
    )
    settled = ranges(quantized)
    # Stem, six further ReLUs, five convolutions that meet in an addition, pooled features, logits.
    assert len(settled) == 14
    for name, (lowest, highest) in settled.items():
        values = shown[name.removeprefix("quant_")]
        assert lowest == pytest.approx(min(0.0, values.min()), abs=1e-5)
        assert highest == pytest.approx(max(0.0, values.max()), abs=1e-5)
