"""Every command of README and docs/ is accepted by its own parser; the quick ones run, and print what they show."""

import io
import itertools
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import made_up_run
import prepared_process
import pytest
from documented_commands import Command, check, commands
from markdown_text import PAGES, ROOT, code_spans, fences, text
from PIL import Image

from firmware_export.board import emulator
from firmware_export.common.errors import UserError
from keras_satkd.data import synthetic
from keras_satkd.models import pretrained
from keras_satkd.run.artifacts import INT8_FILE

ALL = [command for page in PAGES for command in commands(page)]
QUICK = ("keras_satkd.evaluate", "keras_satkd.redraw", "firmware_export.run")
"""Commands that are done in seconds; an export is one too where its model ships."""
IMAGES_A_CLASS = 5
HAS_TESTS_OF_ITS_OWN = {"four_bands.md", "many_machines.md", "teaching.md", "unlabelled.md"}
"""Pages whose commands another test runs, on images that it makes."""


def is_run(command: Command) -> bool:
    """Whether it is run here, and not only read."""
    if command.page in HAS_TESTS_OF_ITS_OWN:
        return False
    ships = command.module == "firmware_export" and (ROOT / command.words[3]).is_file()
    return "--help" in command.words or command.module in QUICK or ships


@pytest.mark.parametrize("command", [each for each in ALL if "--help" not in each.words], ids=str)
def test_it_is_accepted(command, monkeypatch, tmp_path):
    for module in ("my_method.py", "my_students.py"):  # a command looks for the file, and runs it later
        (tmp_path / module).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    check(command, monkeypatch)


@pytest.mark.parametrize(
    "words",
    [
        ("python", "-m", "keras_satkd.distill", "--distillation.epoch", "3"),
        ("python", "-m", "keras_satkd.distill", "--config", "demoo"),
        ("python", "-m", "firmware_export", "model.tflite"),
        ("make", "nothing"),
        ("pip", "install", ".[nothing]"),
        (".", "elsewhere/bin/activate"),
        ("curl", "https://example.org"),
    ],
    ids=" ".join,
)
def test_a_command_that_nobody_can_type_is_seen(words, monkeypatch, capfd):
    with pytest.raises((AssertionError, SystemExit, subprocess.CalledProcessError, pytest.fail.Exception)):
        check(Command("page", words), monkeypatch)


def test_formats_and_parts_are_looked_up(monkeypatch):
    export = ("python", "-m", "firmware_export", "model.tflite", "--out", "firmware")
    for words in (("--format", "zephir"), ("--target", "samv7")):
        with pytest.raises(UserError, match="did you mean"):
            check(Command("page", export + words), monkeypatch)


@pytest.fixture(scope="module")
def help_texts(docs_command_line):
    """What every command says of itself."""
    return {name: docs_command_line.help_text(name) for name in docs_command_line.COMMANDS}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_the_text_names_exist(page, help_texts):
    known = set(re.findall(r"--[\w.-]+", " ".join(help_texts.values())))
    for span in code_spans(text(page)):
        words = span.split()
        if span.startswith(("python -m keras_satkd", "python -m firmware_export")):
            assert words[2] in help_texts, span
            options = {word for word in words if word.startswith("--")} - {"--help"}
            assert options <= set(re.findall(r"--[\w.-]+", help_texts[words[2]])), span
        elif words and words[0].startswith("--"):
            # A group of settings is named as its members' beginning.
            assert any(name == words[0] or name.startswith(f"{words[0]}.") for name in known), span


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A folder as a reader's may be: what ships, a few images under EuroSAT's name, a finished run."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "keras_satkd").mkdir()
    (folder / "keras_satkd" / "pretrained").symlink_to(pretrained.FOLDER)
    with zipfile.ZipFile(folder / "EuroSAT_RGB.zip", "w") as archive:
        for name in pretrained.EUROSAT_CLASSES:
            for index in range(IMAGES_A_CLASS):
                archive.writestr(f"EuroSAT_RGB/{name}/{name}_{index}.png", _png(synthetic.scene(name, index, 0, 64)))
    with zipfile.ZipFile(folder / "EuroSAT_RGB.zip") as archive:
        archive.extractall(folder / "new_pictures")
    run = made_up_run.finished(folder / "runs" / "eurosat")
    shutil.copyfile(pretrained.FOLDER / "resnet8_eurosat_int8.tflite", run.path(INT8_FILE))
    return folder


def _png(pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def printed(reader) -> dict[Command, str]:
    """What the quick commands of all pages print, run one after the other as a reader runs them, README's first."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(reader / "cache"),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    outputs = {}
    for command in filter(is_run, ALL):
        if command.module == "firmware_export.run" and not emulator_is_here():
            continue
        done = prepared_process.run(command.words, reader, environment)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        outputs[command] = done.stdout
    return outputs


@pytest.mark.slow
class TestRunning:
    def test_every_kind_of_quick_command_was_run(self, printed):
        modules = {command.module for command in printed}
        wanted = {*QUICK, "firmware_export", "keras_satkd.distill"}
        assert modules >= (wanted if emulator_is_here() else wanted - {"firmware_export.run"})

    def test_they_leave_what_they_promise(self, printed, reader):
        assert (reader / "firmware" / "classifier.h").exists()
        assert (reader / "firmware" / "satkd_model.c").exists()
        assert (reader / "firmware_resnet16" / "satkd_model.c").exists()
        assert (reader / "runs" / "eurosat" / "report.html").exists()

    def test_outputs_in_the_pages_are_what_is_printed(self, printed):
        """Those of `evaluate` need EuroSAT; `test_results` compares them with the shipped models' JSON."""
        compared = 0
        for command, shown in outputs_shown().items():
            if command in printed and command.module != "keras_satkd.evaluate":
                real = [line.rstrip() for line in printed[command].splitlines()]
                assert not [line for line in shown if line not in real], f"{command} prints:\n{printed[command]}"
                compared += 1
        assert compared == 2 + emulator_is_here()


def emulator_is_here() -> bool:
    """Whether `firmware_export.run` can be run."""
    return all(map(shutil.which, (emulator.COMPILER, emulator.EMULATOR)))


def outputs_shown() -> dict[Command, list[str]]:
    """Lines of each `text` block that follows a block of commands, by the last of these commands; README's first."""
    found = {}
    for page in PAGES:
        blocks, in_page, position = fences(text(page)), commands(page), 0
        for block, following in itertools.pairwise([*blocks, None]):
            if block.language == "sh":
                position += len(commands_in(block.text))
                if following is not None and following.language == "text":
                    found[in_page[position - 1]] = following.text.splitlines()
    return found


def commands_in(block: str) -> list[str]:
    """Lines of a block that are commands."""
    lines = block.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_the_pages_show_outputs():
    shown = [(command.page, command.module) for command in outputs_shown()]
    assert shown == [
        ("README.md", "firmware_export"),
        ("README.md", "firmware_export.run"),
        ("groups.md", "keras_satkd.distill"),  # compared by test_your_data_pages
        ("manifest.md", "keras_satkd.distill"),
        ("results.md", "keras_satkd.evaluate"),
        ("results.md", "firmware_export"),
    ]


def test_pages_are_found():
    assert {Path("README.md"), Path("docs/index.md")} <= {page.relative_to(ROOT) for page in PAGES}
    assert len(ALL) > 20
