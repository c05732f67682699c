"""The page about more than one machine: its commands run at once, as processes, on made-up images."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tomli_w
from documented_commands import commands
from markdown_text import ROOT
from PIL import Image
from tests_support import by_colour

SIZE = 64


@pytest.mark.slow
def test_the_page(tmp_path):
    random = np.random.default_rng(0)
    for channel, name in enumerate(("Fire", "Forest", "Water")):
        (tmp_path / "my_images" / name).mkdir(parents=True)
        for number in range(110):
            pixels = random.integers(0, 100, (SIZE, SIZE, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "my_images" / name / f"{number}.png")
    by_colour().save(tmp_path / "my_teacher.keras")
    quick = {"distillation": {"epochs": 3, "batch_size": 32, "views": 2}, "quantization": {"epochs": 0}}
    (tmp_path / "quick.toml").write_text(tomli_w.dumps(quick))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def start(command):
        words = [sys.executable, *command.words[1:], "--config", "quick.toml"]
        return subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    first, second, train = commands(ROOT / "docs" / "many_machines.md")[:3]
    process = start(train)
    said = process.communicate()[1].decode()
    assert process.returncode == 2
    assert "store has no logits of teacher my_teacher in it" in said.splitlines()[-1]
    both = [start(first), start(second)]
    for process in both:
        out, error = process.communicate()
        assert process.returncode == 0, error.decode()
        assert out.decode().endswith("-of-00002.npy: computed\n")
    process = start(train)
    _, error = process.communicate()
    assert process.returncode == 0, error.decode()
    [store] = tmp_path.glob("store/*/store.json")
    assert json.loads(store.read_text())["shards"] == 2
    assert (tmp_path / "runs" / "quick" / "report.html").exists()
