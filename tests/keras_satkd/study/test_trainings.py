import itertools
import json
import shutil
import sys
import time
from pathlib import Path

import pytest
from tests_support import tiny_network

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from keras_satkd.config_io import from_dict, load
from keras_satkd.study import rows, significance, trainings
from keras_satkd.training import run_offloaded

SMALL = "tests_support:small_student"


def test_unknown_rows_and_students(tmp_path):
    with pytest.raises(UserError, match="did you mean 'no teacher'"):
        trainings.study(rows.Plan(load("study")), tmp_path, tmp_path, rows=("no teachers",))
    with pytest.raises(UserError, match="did you mean 'resnet8'"):
        trainings.study(rows.Plan(load("study")), tmp_path, tmp_path, chosen_students=("resnet9",))


def test_a_study_without_jax_exports_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(UserError, match="a training cannot be written as a program: jax "):
        trainings.study(rows.Plan(load("study")), tmp_path / "study", tmp_path / "study", lowers=True)
    assert not list(tmp_path.iterdir())


def test_no_seeds(tmp_path):
    with pytest.raises(UserError, match="--seeds is 0: "):
        trainings.study(rows.Plan(load("study")), tmp_path, tmp_path, seeds=0)


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(tmp_path, capsys, processor):
    for seed, name in enumerate(("one", "two")):
        tiny_network(10, 16, seed).save(tmp_path / f"{name}.keras")
    settings = {
        "data": {"source": "synthetic", "synthetic_images": 60, "image_size": 16},
        "teachers": {"names": [str(tmp_path / "one.keras"), str(tmp_path / "two.keras")], "accept_weak": True},
        "distillation": {"epochs": 1, "batch_size": 14, "views": 1},
    }
    workdir = tmp_path / "study"

    def study(*names: str, lowers: bool = False) -> None:
        plan, students = rows.Plan(from_dict(settings, "test")), (SMALL,)
        trainings.study(plan, workdir, workdir, rows=names, chosen_students=students, seeds=1, lowers=lowers)

    def run(*names: str) -> list[dict]:
        study(*names)
        assert (workdir / "study.png").stat().st_size > 0
        assert names[-1] in (workdir / "study.md").read_text()
        return json.loads((workdir / "results.json").read_text())["results"]

    study("no teacher", lowers=True)
    exported = rows.run_folder(workdir, "no teacher", SMALL, 0) / "lowered" / "distillation"
    assert capsys.readouterr().out.splitlines()[-1] == str(exported)
    assert (exported / run_offloaded.PROGRAM_FILE).stat().st_size > 0
    assert not (workdir / "results.json").exists()
    first = run("no teacher")
    # A machine that has the results but not the runs trains nothing again.
    shutil.rmtree(rows.run_folder(workdir, "no teacher", SMALL, 0))
    both = run("no teacher", "both, paper's rule per batch")
    assert [found["row"] for found in both] == ["no teacher", "both, paper's rule per batch"]
    assert both[0] == first[0]
    assert all(len(found["per_class"]) == 10 for found in both)
    for found in both:
        correct = significance.unpacked(found["correct"], found["images"])
        assert correct.mean() == pytest.approx(found["accuracy"])
    assert "McNemar" in (workdir / "study.md").read_text()
    assert first[0]["cases"] == {}
    assert sum(both[1]["cases"].values()) == pytest.approx(1.0)
    assert len(both[1]["corruptions"]["gaussian_noise"]) == 5
    assert not rows.run_folder(workdir, "no teacher", SMALL, 0).exists()
    (workdir / "results.json").unlink()
    metrics = rows.run_folder(workdir, "both, paper's rule per batch", SMALL, 0) / "metrics.csv"
    digests.write_with(metrics, lambda path: path.write_text(metrics.read_text().splitlines()[0] + "\n"))
    with pytest.raises(UserError, match="trained elsewhere, for 0 of 1 epochs"):
        run("both, paper's rule per batch")
    tiny_network(10, 16, 2).save(tmp_path / "one.keras")
    with pytest.raises(UserError, match="teachers that have changed since: remove this folder"):
        run("both, paper's rule per batch")


@pytest.mark.slow
def test_a_clock_that_goes_backwards(tmp_path, monkeypatch):
    settings = {
        "data": {"source": "synthetic", "synthetic_images": 60, "image_size": 16},
        "distillation": {"epochs": 2, "batch_size": 14, "views": 1},
    }

    def scores(workdir: Path) -> dict:
        common = from_dict(settings, "test")
        trainings.study(rows.Plan(common), workdir, workdir, rows=("no teacher",), chosen_students=(SMALL,), seeds=1)
        [found] = json.loads((workdir / "results.json").read_text())["results"]
        assert found.pop("training_seconds") >= 0
        return found

    expected = scores(tmp_path / "one")
    hours = itertools.count(2e9, -3600)
    monkeypatch.setattr(time, "time", lambda: next(hours))
    assert scores(tmp_path / "two") == expected
