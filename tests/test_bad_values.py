"""No value of an option ends in a traceback: every command refuses it with exit code 2, before it starts anything."""

import contextlib
import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export import cli as export_cli
from firmware_export import run as export_run
from firmware_export.common.errors import UserError, exit_on_user_error
from keras_satkd import cli, evaluate, list_images, redraw, select, ship
from keras_satkd.config import Config
from keras_satkd.config_io import flatten, to_dict
from keras_satkd.models import pretrained
from keras_satkd.study import __main__ as study

VALUES = ["", "-1", "0", "1", "nan", "inf", "1e999", "true", "x", "NULL", "a b", "9" * 30, "--", "\n", "ä", "\udc80"]
MODEL = str(pretrained.FOLDER / "resnet8_eurosat_int8.tflite")


def outcome(main, *words: str) -> tuple[object, str]:
    """Exit code and last line of standard error of a command."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        patch.setattr(sys, "argv", ["command", *words])
        with pytest.raises(SystemExit) as stop:
            exit_on_user_error(main)
    return stop.value.code, said.getvalue()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(name=st.sampled_from(sorted(flatten(to_dict(Config())))), value=st.sampled_from(VALUES) | st.text(max_size=5))
def test_settings_on_the_command_line(name, value):
    option = "--" + name.replace("_", "-")
    code, said = outcome(lambda: cli.parse("keras_satkd.distill", "test", [f"{option}={value}"]))
    assert code in (0, 2), said
    assert "Traceback" not in said
    if said.startswith("error: "):
        assert said.count("\n") == 1


@pytest.fixture
def nothing_starts(monkeypatch):
    """Ends the export when it would begin with its work."""

    def begin(*_, **__):
        raise UserError("begun")

    monkeypatch.setattr("firmware_export.export.export", begin)
    return begin


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--error-rate", ["-1", "0", "1", "nan", "inf", "x", ""]),
        ("--false-alarm-rate", ["-1", "0", "1", "nan", "x"]),
        ("--drift-window", ["-1", "0", "512", "1.5", "nan", ""]),
        ("--symbol", ["NULL", "errno", "class", "", "a b", "ä", "E2BIG", "memcpy"]),
        ("--target", ["", "x", "-1", "absent.toml", ".toml", "/dev/null/x.toml"]),
        ("--format", ["", "x"]),
        ("--engine", ["", "x"]),
        ("--engine-prefix", ["", "x y", "satkd_engine", "-1"]),
        ("--images", ["absent", "\x01"]),
        ("--validation", ["absent"]),
        ("--keras", ["absent"]),
        ("--flash-bytes", ["-1", "0", "x"]),
        ("--core", ["", "x"]),
        ("--time-limit", ["", "x", "0", "-1", "nan", "inf", "1e8"]),
    ],
)
def test_options_of_the_export(nothing_starts, tmp_path, option, values):
    for value in values:
        extra = ["--engine=rows"] if option == "--engine-prefix" else []
        code, said = outcome(export_cli.work, MODEL, "--out", str(tmp_path / "out"), f"{option}={value}", *extra)
        assert code == 2, (value, said)
        assert "Traceback" not in said
        assert "error: begun" not in said, value
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (evaluate.main, ["absent.keras", "--data", "synthetic"]),
        (evaluate.main, [MODEL, "--data", "absent.zip"]),
        (evaluate.main, [MODEL, "--data", "synthetic", "--seed=-1"]),
        (evaluate.main, [MODEL, "--data", "synthetic", "--limit=0"]),
        (evaluate.main, [MODEL, "--data", "synthetic", "--sensor=absent.toml"]),
        (evaluate.main, [MODEL, "--data", "synthetic", "--drift", "--drift-window=0"]),
        (evaluate.main, [MODEL, "--data", "synthetic", "--drift", "--false-alarm-rate=nan"]),
        (list_images.main, ["--data", "absent.zip", "--out=x.csv"]),
        (list_images.main, ["--data", "synthetic", "--out=x.txt"]),
        (select.main, [MODEL, "--data", "absent.zip", "--out=x.csv"]),
        (select.main, [MODEL, "--data", "absent.zip", "--out=x.txt"]),
        (select.main, [MODEL, "--data", "absent.zip", "--out=x.csv", "--count=0"]),
        (select.main, [MODEL, "--data", "absent.zip", "--out=x.csv", "--by=luck"]),
        (redraw.main, ["--workdir=absent"]),
        (redraw.main, ["--workdir=\x01"]),
        (ship.main, ["--workdir=absent", "--out=absent"]),
        (study.main, ["--seeds=0", "--data", "synthetic"]),
        (study.main, ["--rows=x", "--data", "synthetic"]),
        (export_run.main, ["absent"]),
        (export_run.main, ["absent", "--timeout=nan"]),
        (export_run.main, ["absent", "--machine="]),
        (export_cli.work, ["absent.tflite", "--out=x"]),
        (export_cli.work, ["x" * 300, "--out=x"]),
        (export_cli.work, [MODEL, "--out=" + "x" * 300]),
        (export_cli.work, [MODEL, "--out=/dev/null/x"]),
    ],
    ids=lambda value: getattr(value, "__module__", None) or " ".join(word[-30:] for word in value),
)
def test_other_commands(main, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said = outcome(main, *words)
    assert code == 2, said
    assert "Traceback" not in said
    assert not [path for path in tmp_path.iterdir() if path.name != "cache"]
