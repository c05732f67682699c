import logging
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_export.common.errors import UserError
from keras_satkd import cli, distill
from keras_satkd.cli import facts, given_as_url, on_this_machine, parse
from keras_satkd.config import Config
from keras_satkd.config_io import load


def parsed(*arguments: str):
    return parse("keras_satkd.distill", "test", arguments)


def test_a_bare_call_is_the_eurosat_preset():
    config, workdir, _ = parsed()
    assert config == load("eurosat")
    assert workdir == Path("runs/eurosat")


def test_flags_go_over_the_preset():
    config, workdir, _ = parsed("--config", "demo", "--distillation.epochs", "3", "--workdir", "here")
    assert config.distillation.epochs == 3
    assert config.data.source == "synthetic"
    assert workdir == Path("here")


def test_short_names_of_the_data():
    config, *_ = parsed("--data", "images.zip", "--data-dir", "there", "--strict")
    assert (config.data.source, config.data.data_dir, config.data.strict) == ("images.zip", "there", True)


@pytest.mark.parametrize(
    ("words", "variable", "said"),
    [
        ([], "{", "error: TF_CONFIG is not JSON ("),
        (["--strategy", "multi-worker"], "", "error: --strategy multi-worker needs the environment variable TF_CONFIG"),
        (["--strategy", "two"], "", "error: "),
        (["--worker-timeout", "0"], "", "error: command line: worker_timeout is 0.0: "),
    ],
)
def test_processes_that_cannot_train_together(call_in_process, monkeypatch, tmp_path, words, variable, said):
    monkeypatch.setenv("TF_CONFIG", variable)
    code, _, error = call_in_process(distill.main, "distill", "--workdir", tmp_path / "run", *words)
    assert (code, error.startswith(said), error.count("\n")) == (2, True, 1), error
    assert not (tmp_path / "run").exists()


def test_what_processes_have_in_common():
    one, other = (facts(parsed(*words)[0]) for words in ([], ["--strategy", "one", "--data", "elsewhere.zip"]))
    assert one == other
    assert set(one["version"]) == {"keras_satkd", "tensorflow", "tf-keras"}
    assert facts(parsed("--seed", "1")[0])["configuration"] != one["configuration"]


def test_ranges_hold_on_the_command_line_too():
    with pytest.raises(UserError, match=r"distillation.temperature is 0.0: .*greater than 0"):
        parsed("--distillation.temperature", "0")


@pytest.mark.parametrize(
    ("words", "level"),
    [((), logging.INFO), (("-q",), logging.WARNING), (("--quiet",), logging.WARNING), (("-v",), logging.DEBUG)],
)
def test_how_much_is_said(words, level):
    assert parsed(*words)[2] == level


def test_quiet_and_verbose_are_not_both():
    with pytest.raises(UserError, match="contradict each other"):
        parsed("--quiet", "--verbose")


@pytest.mark.parametrize("command", ["distill", "teach", "quantize"])
def test_help_imports_no_tensorflow(command):
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['{command}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('keras_satkd.{command}', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        "assert not {'tensorflow', 'keras', 'tf_keras', 'numpy'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--distillation.temperature" in done.stdout


def test_mixed_images_without_logits_of_them_are_refused_at_the_start(tmp_path):
    command = [sys.executable, "-m", "keras_satkd.distill", "--config", "eurosat_long", "--workdir", "run"]
    command += ["--distillation.mixing.method", "mixup"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "distillation.mixing.method 'mixup' needs teacher logits of each mixed image" in line
    assert not list(tmp_path.iterdir())


def test_processes_that_train_together_need_a_shared_folder():
    with pytest.raises(UserError, match="processes that train together need a folder on a file system"):
        cli._run(Path("s3://bucket/run"), Config(), is_shared=True)


@pytest.mark.parametrize(
    ("given", "url"), [("s3://b/x", "s3://b/x"), ("gs://b/x/y", "gs://b/x/y"), ("/s3/x", None), ("file:///x", None)]
)
def test_a_workdir_as_a_url(given, url):
    assert given_as_url(Path(given)) == url


def test_folders_on_this_machine():
    assert on_this_machine(Path("file:///somewhere/run")) == Path("/somewhere/run")
    assert on_this_machine(Path("runs/x")) == Path("runs/x")
    with pytest.raises(UserError, match="--workdir s3://b/x: a study's folder is on this machine: give a local one"):
        on_this_machine(Path("s3://b/x"), "a study's")
