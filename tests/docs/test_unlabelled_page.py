"""The page about unlabelled images, executed on made-up ones."""

import csv
import json
import shlex

import numpy as np
import pytest
from documented_commands import commands
from markdown_text import ROOT
from PIL import Image
from tests_support import by_color

from keras_satkd import cli, evaluate, select
from keras_satkd.pipeline.steps import distil
from keras_satkd.report import html
from keras_satkd.run.folder import Run

QUICK = shlex.split(
    "--student student.keras --teachers.names my_teacher.keras --distillation.epochs 1 --distillation.batch-size 32 "
    "--distillation.views 1 --quantization.epochs 0 --data.cache-dir cache"
)
CLASSES = ("Fire", "Forest", "Water")
SIZE = 64


def pictures(images: int, seed: int) -> list[tuple[str, Image.Image]]:
    """Images with the names of their classes, of which each is brightest in one channel."""
    random = np.random.default_rng(seed)
    found = []
    for channel, name in enumerate(CLASSES):
        for _ in range(images):
            pixels = random.integers(0, 100, (SIZE, SIZE, 3), np.uint8)
            pixels[..., channel] += 100
            found.append((name, Image.fromarray(pixels)))
    return found


@pytest.mark.slow
def test_the_page(tmp_path, monkeypatch, call_in_process):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number, (name, picture) in enumerate(pictures(110, 0)):
        (tmp_path / "my_images" / name).mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "my_images" / name / f"{number}.png")
    (tmp_path / "new_images" / "day 1").mkdir(parents=True)
    for number, (_, picture) in enumerate(pictures(12, 1)):
        picture.save(tmp_path / "new_images" / "day 1" / f"{number}.png")
    by_color().save("my_teacher.keras")
    by_color(SIZE).save("student.keras")
    train, choose, ask = commands(ROOT / "docs" / "unlabelled.md")

    config, workdir, _ = cli.parse(train.module, "", [*train.words[3:], *QUICK])
    distil(Run(workdir, config))
    found = json.loads((workdir / "metrics.json").read_text())
    assert found["distillation"]["pseudo_labels"] == dict.fromkeys(CLASSES, 12)
    assert "and 36 more training images that the teachers labelled." in (workdir / html.FILE).read_text()

    code, said, error = call_in_process(select.main, "select", *choose.words[3:], "-q")
    assert code == 0, error
    assert said.endswith("to_label.csv: 20 of 36 images, least sure first\n")
    with open("to_label.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    margins = [float(row["margin"]) for row in rows]
    assert len(rows) == 20
    assert margins == sorted(margins)
    assert all((tmp_path / "new_images" / row["file"]).exists() for row in rows)

    code, said, error = call_in_process(evaluate.main, "evaluate", *ask.words[3:], "-q", "--json")
    assert code == 0, error
    [curve] = json.loads(said)["guidance"]["curves"]
    assert curve["teacher_accuracy"] == 1.0
