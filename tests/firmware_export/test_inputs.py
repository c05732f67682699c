"""What the export's command line names, read: models, input ranges, images and their labels."""

import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware_export import inputs
from firmware_export.common.errors import UserError
from firmware_export.tflite import reader

CASE = Path(__file__).parents[3] / "shared" / "cases" / "float_keras_0_255" / "rescaling_inside.keras"


def _arguments(model, **given):
    values = {"images": None, "validation": None, "keras": None, "input_range": None, "trust_model": False} | given
    values.setdefault("engine", "tflm")
    return types.SimpleNamespace(model=Path(model), **values)


@pytest.fixture(scope="module")
def rescaling(keras, tmp_path_factory):
    """A float model of pixels in 0..255, which divides them itself."""
    path = tmp_path_factory.mktemp("rescaling") / "inside.keras"
    image = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(scaled))
    keras.Model(image, keras.layers.Dense(3)(pooled)).save(path)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """300 images in folders of three classes."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for index in range(300):
        path = folder / "abc"[index % 3] / f"{index:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return folder


def test_a_rescaling_inside_states_the_range(rescaling, pictures):
    given = inputs.load(_arguments(rescaling, images=pictures), ())
    assert (given.input_range, given.is_keras) == ("0..255", True)
    graph = reader.read(given.model).graph
    assert graph.inputs[0].scale == pytest.approx(1.0)
    assert graph.has_unit_input


def test_the_stated_range_wins(rescaling, pictures):
    given = inputs.load(_arguments(rescaling, images=pictures, input_range="-1..1"), ())
    graph = reader.read(given.model).with_range(given.input_range).graph
    assert graph.inputs[0].scale == pytest.approx(2 / 255)
    assert graph.has_unit_input


def test_folders_of_classes_give_labels(rescaling, pictures):
    given = inputs.load(_arguments(rescaling, images=pictures), ("c", "b", "a"))
    assert len(given.images) == len(given.labels) == 256
    assert np.bincount(given.labels).min() > 80
    assert inputs.load(_arguments(rescaling, images=pictures), ("x", "y", "z")).labels is None


def test_a_tflite_is_read_as_it_is(tmp_path, qat_model):
    path = tmp_path / "student.tflite"
    path.write_bytes(qat_model.content)
    given = inputs.load(_arguments(path, input_range="0..1"), ())
    assert (given.model, given.input_range, given.is_keras) == (qat_model.content, "0..1", False)
    assert given.images is given.labels is given.validation is given.keras_model is None
    with pytest.raises(UserError, match="unknown input range"):
        inputs.load(_arguments(path, input_range="0..2"), ())


def test_what_is_missing_is_named(tmp_path, float_keras):
    with pytest.raises(UserError, match=r"absent\.tflite' not found"):
        inputs.load(_arguments(tmp_path / "absent.tflite"), ())
    with pytest.raises(UserError, match=r"is a folder: give a \.tflite file, or save the Keras model as \.h5"):
        inputs.load(_arguments(tmp_path), ())
    float_keras.save(tmp_path / "float.keras")
    with pytest.raises(UserError, match="is a float model: give --images"):
        inputs.load(_arguments(tmp_path / "float.keras"), ())
    with pytest.raises(UserError, match=r"is only for a \.tflite MODEL"):
        inputs.load(_arguments(tmp_path / "float.keras", keras=tmp_path / "q.h5"), ())


@pytest.mark.skipif(not CASE.exists(), reason="shared/cases is absent")
def test_the_failing_case_takes_pixels():
    from firmware_export.tflite import convert

    assert convert.stated_range(convert.load_keras(CASE)) == "0..255"


def test_a_float_model_is_asked_for_its_range_before_it_is_converted(keras, tmp_path):
    """Its int8 copy would have the range that was assumed, and no other."""
    image = keras.Input((8, 8, 3))
    bright = keras.layers.Dense(2, name="bright")
    keras.Model(image, bright(keras.layers.GlobalAveragePooling2D()(image))).save(tmp_path / "of_pixels.keras")
    model = keras.models.load_model(tmp_path / "of_pixels.keras")
    model.get_layer("bright").set_weights([np.array([[-1.0, 1.0]] * 3), np.array([380.0, -380.0])])
    model.save(tmp_path / "of_pixels.keras")
    for index in range(300):
        path = tmp_path / "pictures" / ("dark", "light")[index % 2] / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        low, high = ((0, 120), (140, 256))[index % 2]
        pixels = np.random.default_rng(index).integers(low, high, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    arguments = _arguments(tmp_path / "of_pixels.keras", images=tmp_path / "pictures")
    with pytest.raises(
        UserError, match=r"Keras model \w+ has 50\.0% .* range 0\.\.1, and 100\.0% with 0\.\.255: if they"
    ):
        inputs.load(arguments, ())
    arguments.input_range = "0..255"
    assert inputs.load(arguments, ()).input_range == "0..255"
