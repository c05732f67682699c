import dataclasses
import json
import shutil

import pytest
import tomli_w
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd import study
from keras_satkd.config import Config, DataConfig, TeachersConfig, load
from keras_satkd.models import teachers
from keras_satkd.run.folder import InUse
from keras_satkd.study import trainings
from keras_satkd.training import run_offloaded


def result(row: str, seed: int, accuracy: float, student: str = "resnet8") -> dict:
    scores = dict.fromkeys(trainings.SCORES, 0.5) | {"accuracy": accuracy}
    corruptions = {"gaussian_noise": [0.9, 0.8, 0.7, 0.6, accuracy - 0.5]}
    costs = {"images": 4860, "parameters": 98_522, "macs": 58_393_216}
    return {"row": row, "student": student, "seed": seed, **scores, **costs, "corruptions": corruptions}


def test_seeds_become_mean_and_sample_deviation():
    [both, alone] = trainings.summaries(
        [result("both", 0, 0.97), result("both", 1, 0.99), result("alone", 0, 0.9, "resnet16")]
    )
    assert both["seeds"] == 2
    assert both["accuracy"] == pytest.approx((0.98, 0.01414), abs=1e-5)
    assert alone["accuracy"] == (0.9, None)


def test_table_tells_deviations_only_of_several_seeds():
    text = trainings.table(
        [result("both", 0, 0.97), result("both", 1, 0.99), result("both", 0, 0.985, student="resnet16")]
    )
    assert "## resnet8: 98,522 parameters, 58,393,216 MACs" in text
    assert "| both | 2 | 98.00 ± 1.41 |" in text
    assert "| both | 1 | 98.50 |" in text
    assert "| both | 90.0 / 70.0 / 48.0 |" in text


@pytest.mark.parametrize("row", study.ROWS)
def test_every_row_is_a_configuration(row):
    config = trainings.row_config(Config(), row, "resnet16", 2)
    assert (config.student, config.seed) == ("resnet16", 2)
    assert config.distillation.weighting.rule == study.ROWS[row]["distillation.weighting.rule"]


def test_rows_have_folders_of_their_own(tmp_path):
    folders = {trainings.run_folder(tmp_path, row, "resnet8", seed) for row in study.ROWS for seed in range(3)}
    assert len(folders) == 3 * len(study.ROWS)


def test_unknown_rows_and_students(tmp_path):
    with pytest.raises(UserError, match="did you mean 'no teacher'"):
        trainings.study(study.Arguments(workdir=tmp_path, rows=("no teachers",)))
    with pytest.raises(UserError, match="did you mean 'resnet8'"):
        trainings.study(study.Arguments(workdir=tmp_path, students=("resnet9",)))


def test_no_seeds(tmp_path):
    with pytest.raises(UserError, match="--seeds is 0: "):
        trainings.study(study.Arguments(workdir=tmp_path, seeds=0))


def test_the_command_reaches_the_study(call_in_process, tmp_path):
    code, _, said = call_in_process(study.main, "study", "--workdir", tmp_path, "--rows", "no teachers")
    assert code == 2
    assert said.startswith("error: ")
    assert "did you mean 'no teacher'" in said


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(tmp_path, capsys):
    for seed, name in enumerate(("one", "two")):
        tiny_network(10, 16, seed).save(tmp_path / f"{name}.keras")
    settings = {
        "data": {"source": "synthetic", "synthetic_images": 60, "image_size": 16},
        "teachers": {"names": [str(tmp_path / "one.keras"), str(tmp_path / "two.keras")]},
        "distillation": {"epochs": 1, "batch_size": 14, "views": 1},
    }
    (tmp_path / "small.toml").write_text(tomli_w.dumps(settings))

    workdir = tmp_path / "study"

    def arguments(*rows: str) -> study.Arguments:
        config = str(tmp_path / "small.toml")
        return study.Arguments(config=config, workdir=workdir, rows=rows, students=("resnet8",), seeds=1)

    def run(*rows: str) -> list[dict]:
        trainings.study(arguments(*rows))
        assert (workdir / "study.png").stat().st_size > 0
        assert rows[-1] in (workdir / "study.md").read_text()
        return json.loads((workdir / "results.json").read_text())["results"]

    trainings.study(dataclasses.replace(arguments("no teacher"), lower=True))
    lowered = trainings.run_folder(workdir, "no teacher", "resnet8", 0) / "lowered" / "distillation"
    assert capsys.readouterr().out.splitlines()[-1] == str(lowered)
    assert (lowered / run_offloaded.PROGRAM_FILE).stat().st_size > 0
    assert not (workdir / "results.json").exists()
    first = run("no teacher")
    # A machine that has the results but not the runs trains nothing again.
    shutil.rmtree(trainings.run_folder(workdir, "no teacher", "resnet8", 0))
    both = run("no teacher", "both, paper's rule per batch")
    assert [found["row"] for found in both] == ["no teacher", "both, paper's rule per batch"]
    assert both[0] == first[0]
    assert all(len(found["per_class"]) == 10 for found in both)
    assert first[0]["cases"] == {}
    assert sum(both[1]["cases"].values()) == pytest.approx(1.0)
    assert len(both[1]["corruptions"]["gaussian_noise"]) == 5
    assert not trainings.run_folder(workdir, "no teacher", "resnet8", 0).exists()
    (workdir / "results.json").unlink()
    metrics = trainings.run_folder(workdir, "both, paper's rule per batch", "resnet8", 0) / "metrics.csv"
    metrics.write_text(metrics.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="trained for 0 of 1 epochs"):
        run("both, paper's rule per batch")
    tiny_network(10, 16, 2).save(tmp_path / "one.keras")
    with pytest.raises(UserError, match="teachers that have changed since: remove this folder"):
        run("both, paper's rule per batch")


def test_other_processes_may_work_on_the_study(tmp_path, monkeypatch):
    def found(row: str) -> dict:
        return result(row, 0, 0.9) | {"settings": study.ROWS[row], "teachers": {}}

    rows = ("no teacher", "EfficientViT alone", "MobileViT alone")
    theirs, mine, finished_meanwhile = rows

    def train_row(run, row, gathered):
        if row == theirs:
            raise InUse("another process trains it")
        assert row == mine
        trainings.add_result(tmp_path, load("study"), found(finished_meanwhile))
        return found(row)

    monkeypatch.setattr(trainings, "train_row", train_row)
    trainings.study(study.Arguments(workdir=tmp_path, rows=rows, students=("resnet8",), seeds=1))
    assert trainings.read_results(tmp_path / "results.json", load("study")) == [found(mine), found(finished_meanwhile)]


def test_results_of_other_settings_and_changed_rows(tmp_path):
    path = tmp_path / "results.json"
    kept = result("no teacher", 0, 0.9) | {"settings": study.ROWS["no teacher"], "teachers": {}}
    changed = result("MobileViT alone", 0, 0.9) | {"settings": {}, "teachers": {}}
    trainings.write_results(tmp_path, Config(), [changed, kept])
    assert trainings.read_results(path, Config()) == [kept]
    elsewhere = Config(data=DataConfig(source="elsewhere/rgb", cache_dir="cache"))
    with pytest.raises(UserError, match="other settings"):
        trainings.read_results(path, dataclasses.replace(Config(), seed=1))
    assert trainings.comparable(elsewhere)["data"]["source"] == "rgb"
    older = json.loads(path.read_text())
    del older["config"]["distillation"]["sensor_noise"]
    path.write_text(json.dumps(older))
    assert trainings.read_results(path, Config()) == [kept]
    path.write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        trainings.read_results(path, Config())


def test_rows_of_teachers_that_were_trained_anew_are_left_out(tmp_path):
    name = str(tmp_path / "one.keras")
    tiny_network(10, 16, 0).save(name)
    common = dataclasses.replace(Config(), teachers=TeachersConfig(names=(name, name)))
    row = "both, equal weights"

    def taught_by(digests: dict[str, str]) -> dict:
        return result(row, 0, 0.9) | {"settings": study.ROWS[row], "teachers": digests}

    kept = taught_by({"one": teachers.load(name).digest(), "fine-tuned by the study": "0" * 64})
    older = result(row, 0, 0.9) | {"settings": study.ROWS[row]}
    trainings.write_results(tmp_path, common, [kept, taught_by({"one": "0" * 64}), older])
    assert trainings.read_results(tmp_path / "results.json", common) == [kept]
    tiny_network(10, 16, 1).save(name)
    assert trainings.read_results(tmp_path / "results.json", common) == []
