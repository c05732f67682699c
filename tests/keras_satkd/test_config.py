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
    assert len(kinds) == 11
    assert all(kind.__dataclass_params__.frozen for kind in kinds)
