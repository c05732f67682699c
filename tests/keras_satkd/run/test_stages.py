import pytest

from keras_satkd.config import Config
from keras_satkd.config_io import flatten, from_dict, to_dict
from keras_satkd.run import stages
from keras_satkd.run.stages import Stage

SETTINGS = flatten(to_dict(Config()))


def changed(**settings) -> Config:
    """The default configuration with other settings, as in `quantization__epochs=3`."""
    values = to_dict(Config())
    for name, value in settings.items():
        *groups, setting = name.split("__")
        group = values
        for each in groups:
            group = group[each]
        group[setting] = value
    return from_dict(values, "test")


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_belongs_to_a_stage(setting):
    stage = stages.stage_of(setting, Config())
    assert (stage is None) == (setting in stages.NO_STAGE)


@pytest.mark.parametrize(
    ("settings", "stage"),
    [
        ({}, None),
        ({"data__cache_dir": "elsewhere"}, None),
        ({"data__data_dir": "elsewhere"}, None),
        ({"data__strict": True}, None),
        ({"data__seed": 1}, Stage.DATA),
        ({"seed": 1}, Stage.TEACHERS),
        ({"teachers__epochs": 3}, Stage.TEACHERS),
        ({"student": "resnet16"}, Stage.DISTILLATION),
        ({"distillation__weighting__rule": "entropy"}, Stage.DISTILLATION),
        ({"quantization__calibration_images": 512}, Stage.QUANTIZATION),
        ({"firmware__error_rate": 0.1}, Stage.FIRMWARE),
        ({"firmware__error_rate": 0.1, "quantization__epochs": 2}, Stage.QUANTIZATION),
    ],
)
def test_the_first_stage_that_a_change_affects(settings, stage):
    assert stages.first_affected(Config(), changed(**settings)) == stage


def test_the_loss_affects_teachers_that_have_teachers():
    before = changed(teachers__taught_by=["folder"])
    after = changed(teachers__taught_by=["folder"], distillation__temperature=2.0)
    assert stages.first_affected(before, after) is Stage.TEACHERS
    after = changed(teachers__taught_by=["folder"], distillation__epochs=2)
    assert stages.first_affected(before, after) is Stage.DISTILLATION


def test_phases_belong_to_their_stages():
    for step in (stages.DISTILLATION, stages.QUANTIZATION, stages.teacher("efficientvit_m2@128")):
        assert stages.stage_of_phase(step.phase) is step.stage
        assert stages.step_of(step.name) == step
    assert stages.step_of("unknown") is None
