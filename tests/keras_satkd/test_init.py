import subprocess
import sys

import pytest

import keras_satkd
from keras_satkd import Distiller, distiller, losses, models, students, teachers, weighting


def test_public_names():
    assert Distiller is distiller.Distiller
    assert (students, teachers) == (models.students, models.teachers)
    assert losses.blend
    assert weighting.make_rule
    assert {"Distiller", "losses", "students", "teachers", "weighting"} <= set(dir(keras_satkd))


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="no attribute 'student'"):
        _ = keras_satkd.student


def test_tensorflow_is_imported_with_the_first_name_only():
    code = (
        "import sys, keras_satkd; assert 'tensorflow' not in sys.modules; "
        "keras_satkd.losses; assert 'tensorflow' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
