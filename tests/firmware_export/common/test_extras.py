import sys

import pytest

from firmware_export.common.errors import UserError
from firmware_export.common.extras import training_packages


def test_a_missing_package_is_named_with_the_line_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    with pytest.raises(UserError) as caught, training_packages():
        import tensorflow_model_optimization.quantization  # noqa: F401
    said = str(caught.value)
    assert said.startswith("tensorflow_model_optimization is not installed; ")
    assert said.endswith('pip install "keras_satkd[train]"')
    assert "\n" not in said


def test_a_missing_module_of_ours_is_a_defect(monkeypatch):
    monkeypatch.setitem(sys.modules, "firmware_export.facts", None)
    with pytest.raises(ModuleNotFoundError), training_packages():
        import firmware_export.facts  # noqa: F401


def test_what_is_installed_is_imported():
    with training_packages():
        import numpy
    assert numpy.arange(3).sum() == 3
