import sys
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models import student_registry, students


def own(image_size, classes, channels):
    return tf_keras.Sequential(
        [
            tf_keras.layers.Input((image_size, image_size, channels)),
            tf_keras.layers.Conv2D(4, 3, strides=2),
            tf_keras.layers.GlobalAveragePooling2D(),
            tf_keras.layers.Dense(classes),
        ]
    )


@pytest.fixture
def module(monkeypatch):
    """`my_students`, as a user's module that can be imported."""
    made = ModuleType("my_students")
    made.build = own
    monkeypatch.setitem(sys.modules, "my_students", made)
    return made


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(student_registry, "_REGISTERED", {})


def test_a_registered_function_is_found_by_its_name():
    students.register("mine", own)
    assert students.build("mine", 16, 5, channels=4).output_shape == (None, 5)


def test_a_registered_model_begins_with_its_weights_each_time():
    model = own(16, 3, 3)
    students.register("mine", model)
    first, second = (students.build("mine", 16, 3) for _ in range(2))
    first.set_weights([np.zeros_like(weights) for weights in first.get_weights()])
    for ours, theirs in zip(second.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_our_names_are_taken():
    with pytest.raises(UserError, match="register yours under another name"):
        students.register("resnet8", own)


@pytest.mark.usefixtures("module")
def test_a_function_in_a_module():
    assert students.build("my_students:build", 16, 3).input_shape == (None, 16, 16, 3)


@pytest.mark.usefixtures("module")
def test_names_of_layers_do_not_depend_on_what_was_built_before():
    first, second = (students.build("my_students:build", 16, 3) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


def test_a_file_keeps_its_weights(tmp_path):
    model = own(16, 3, 3)
    model.save(tmp_path / "mine.keras")
    found = students.build(str(tmp_path / "mine.keras"), 16, 3)
    for ours, theirs in zip(found.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def fails(image_size, classes, channels):
    raise KeyError("width")


def of_keras_3(image_size, classes, channels):
    return keras.Sequential([keras.layers.Dense(classes)])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_student:build", r"cannot be imported \(No module named 'my_student'\): correct my_student"),
        ("my_students:biuld", "has no attribute 'biuld'"),
        ("my_students:fails", r"fails for .* = \(16, 3, 3\) \(KeyError: 'width'\)"),
        ("my_students:three", r"returns a keras\S*Sequential: return a tf_keras\.Model"),
        ("my_students:number", r"fails for .* \(TypeError: 'int' object is not callable\)"),
        (":build", r"unknown student ':build'.*or give a \.keras file or package\.module:function"),
        ("resnet9", r"did you mean 'resnet8'\?.*give a \.keras file or package\.module:function"),
        ("missing.keras", r"missing\.keras is not a file"),
    ],
)
def test_what_is_wrong_is_one_line(module, name, said):
    module.fails, module.three, module.number = fails, of_keras_3, 3
    with pytest.raises(UserError, match=said) as error:
        students.build(name, 16, 3)
    assert "\n" not in str(error.value)


def test_a_file_that_is_quantization_aware_is_refused(tmp_path):
    file = tmp_path / "mine.h5"
    with pytest.warns(UserWarning, match="HDF5"):
        tfmot.quantization.keras.quantize_model(own(16, 3, 3)).save(file, save_format="h5")
    with pytest.raises(UserError, match="is quantization-aware: give the float model"):
        students.build(str(file), 16, 3)


def test_a_file_that_could_run_code_is_refused(tmp_path):
    model = tf_keras.Sequential([tiny_network(), tf_keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "mine.keras")
    with pytest.raises(UserError, match="Lambda"):
        students.build(str(tmp_path / "mine.keras"), 16, 3)
