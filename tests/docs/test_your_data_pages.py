"""The pages on other people's images run as they are, on the small data that they make."""

import logging
import shlex
from pathlib import Path

import pytest
from documented_commands import commands
from markdown_text import ROOT, fences, text

from keras_satkd import cli
from keras_satkd.pipeline.steps import distil, quantize_only
from keras_satkd.report import html
from keras_satkd.run.folder import Run

QUICK = shlex.split(
    "--data.image-size 16 --distillation.weighting.rule none --distillation.epochs 2 --distillation.batch-size 32 "
    "--quantization.epochs 0 --data.cache-dir cache"
)
"""Settings that do not change what a page shows: no teachers, and few steps."""
SMALL = ("--student", "tests_support:small_student")


@pytest.fixture
def page(tmp_path, monkeypatch, caplog):
    """Follows a page in an empty folder: makes its data and runs its commands."""

    def follow(name, work=quantize_only, further=()):
        monkeypatch.chdir(tmp_path)
        path = ROOT / "docs" / name
        blocks = fences(text(path))
        for block in blocks:
            if block.language == "python":
                exec(block.text, {})
        runs = []
        with caplog.at_level(logging.INFO, "keras_satkd"):
            for command in commands(path):
                config, workdir, _ = cli.parse(command.module, "", [*command.words[3:], *QUICK, *further])
                runs.append(Run(Path(workdir), config))
                work(runs[-1])
        for block in blocks:
            if block.language == "text":
                for line in block.text.splitlines():
                    assert line in caplog.messages
        return runs

    return follow


@pytest.mark.slow
def test_manifest(page):
    [run] = page("manifest.md", further=SMALL)
    assert run.path("student_int8.tflite").exists()


@pytest.mark.slow
def test_groups(page, caplog):
    page("groups.md", further=SMALL)
    assert any("left out beside other parts" in message for message in caplog.messages)


@pytest.mark.slow
def test_imbalance(page):
    [run] = page("imbalance.md", distil)
    report = run.path(html.FILE).read_text(encoding="utf-8")
    assert "answer fire if its output code is at least that of calm plus" in report
