import dataclasses

import pytest

from keras_satkd.cli import parse
from keras_satkd.config import PLATEAU_PATIENCE, Config
from keras_satkd.config_io import flatten, to_dict


def every_dataclass(kind):
    yield kind
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.default_factory):
            yield from every_dataclass(field.default_factory)


def test_every_setting_is_frozen_and_documented_in_help(capsys):
    with pytest.raises(SystemExit):
        parse("keras_satkd.distill", "test", ["--help"])
    shown = capsys.readouterr().out
    assert f"divide by ten after {PLATEAU_PATIENCE} epochs" in " ".join(shown.replace("│", " ").split())
    for name in flatten(to_dict(Config())):
        assert f"--{name.replace('_', '-')}" in shown, name
    kinds = set(every_dataclass(Config))
    assert len(kinds) == 14
    assert all(kind.__dataclass_params__.frozen for kind in kinds)


@pytest.mark.parametrize(
    ("student", "name"),
    [
        ("resnet8", "resnet8"),
        ("models/small.v2.keras", "small.v2"),
        ("shipped:resnet8_eurosat.keras", "resnet8_eurosat"),
        ("my_package.small:build", "small_build"),
        ("my.own", "my.own"),
    ],
)
def test_names_of_students_in_reports_and_files(student, name):
    assert Config(student=student).student_name == name
