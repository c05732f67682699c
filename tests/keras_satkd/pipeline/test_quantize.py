import dataclasses

import numpy as np
import pytest
import tf_keras

from firmware_export.tflite.reader import read
from keras_satkd.camera.training import Mixture, view_seeds
from keras_satkd.config import Config, DistillationConfig, QuantizationConfig
from keras_satkd.data.splits import Split
from keras_satkd.models import students
from keras_satkd.pipeline import quantize
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run import history
from keras_satkd.run.artifacts import INT8_FILE, POST_TRAINING_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import INT8, QUANTIZATION
from keras_satkd.training.teacher_logits import TeacherTargets


@pytest.fixture
def given(image_set):
    return Inputs(Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256"), {}, [])


def run_of(tmp_path, epochs: int) -> Run:
    config = QuantizationConfig(epochs=epochs, batch_size=10, calibration_images=20)
    run = Run(tmp_path / "run", dataclasses.replace(Config(), quantization=config))
    run.claim()
    return run


def test_calibration_images_are_the_first_training_images(tmp_path, given):
    chosen = quantize.calibration_images(run_of(tmp_path, 0), given)
    np.testing.assert_array_equal(chosen, given.split.train.images[:20])


def test_the_runs_camera_disturbs_the_calibration_images(tmp_path, given):
    camera = Mixture(share=1.0)
    chosen = quantize.calibration_images(run_of(tmp_path, 0), dataclasses.replace(given, camera=camera))
    np.testing.assert_array_equal(chosen, camera(given.split.train.images[:20], view_seeds(20, 0, 0)))


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [0, 1])
def test_the_int8_model_comes_from_quantization_aware_training_where_it_was_done(tmp_path, given, epochs):
    run, student = run_of(tmp_path, epochs), students.build("resnet8", 16, 3)
    quantized = quantize.quantize(run, given, student, TeacherTargets((), "none"))
    quantize.to_int8(run, given, student, quantized)
    assert (QUANTIZATION in run.results) == (quantized is not None) == bool(epochs)
    assert len(history.of_phases(run.path(history.FILE), ["quantization"])) == epochs
    int8 = run.path(INT8_FILE).read_bytes()
    assert run.results[INT8].bytes == len(int8)
    assert read(int8).graph.inputs[0].shape == (1, 16, 16, 3)
    assert (int8 == run.path(POST_TRAINING_FILE).read_bytes()) == (not epochs)


@pytest.mark.slow
def test_the_int8_model_does_not_depend_on_what_the_process_computed_before(tmp_path, given):
    tf_keras.utils.set_random_seed(0)
    student, models = students.build("resnet8", 16, 3), []
    for seed in (1, 2):
        tf_keras.utils.set_random_seed(seed)
        # Keras numbers its layers per process, and their names are in the model.
        tf_keras.backend.reset_uids()
        run = run_of(tmp_path / str(seed), 1)
        quantize.to_int8(run, given, student, quantize.quantize(run, given, student, TeacherTargets((), "satellite")))
        models.append(run.path(INT8_FILE).read_bytes())
    assert models[0] == models[1]


class _Trains(Exception):
    """Ends a run where a training would begin."""


def test_the_quantized_student_has_the_class_weights_of_distillation(tmp_path, given, monkeypatch):
    def train(*arguments, class_weights, **settings):
        raise _Trains(class_weights)

    monkeypatch.setattr(quantize, "train", train)
    run = run_of(tmp_path, 1)
    run.config = dataclasses.replace(run.config, distillation=DistillationConfig(class_weights="balanced"))
    with pytest.raises(_Trains, match="balanced"):
        quantize.quantize(run, given, students.build("resnet8", 16, 3), TeacherTargets((), "none"))
