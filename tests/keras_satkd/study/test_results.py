import contextlib
import dataclasses
import json

import numpy as np
import pytest
from damage import flip
from tests_support import tiny_network

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from keras_satkd.config import Config, TeachersConfig
from keras_satkd.config_io import load
from keras_satkd.models import teachers
from keras_satkd.run.locks import InUse
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.study import results, rows, significance, trainings


def result(row: str, seed: int, accuracy: float, student: str = "resnet8") -> dict:
    scores = dict.fromkeys(results.SCORES, 0.5) | {"accuracy": accuracy}
    corruptions = {"gaussian_noise": [0.9, 0.8, 0.7, 0.6, accuracy - 0.5]}
    costs = {"images": 4860, "parameters": 98_522, "macs": 58_393_216}
    return {"row": row, "student": student, "seed": seed, **scores, **costs, "corruptions": corruptions}


def test_seeds_become_mean_and_sample_deviation():
    [both, alone] = results.summaries(
        [result("both", 0, 0.97), result("both", 1, 0.99), result("alone", 0, 0.9, "resnet16")]
    )
    assert both["seeds"] == 2
    assert both["accuracy"] == pytest.approx((0.98, 0.01414), abs=1e-5)
    assert alone["accuracy"] == (0.9, None)


def test_table_tells_deviations_only_of_several_seeds():
    text = results.table(
        [result("both", 0, 0.97), result("both", 1, 0.99), result("both", 0, 0.985, student="resnet16")], {}
    )
    assert "## resnet8: 98,522 parameters, 58,393,216 MACs" in text
    assert "| both | 2 | 98.00 ± 1.41 |" in text
    assert "| both | 1 | 98.50 |" in text
    assert "| both | 90.0 / 70.0 / 48.0 |" in text


def test_other_processes_may_work_on_the_study(tmp_path, monkeypatch):
    def found(row: str) -> dict:
        return result(row, 0, 0.9) | {"settings": dict(rows.ROWS[row]), "teachers": {}}

    names = ("no teacher", "EfficientViT alone", "MobileViT alone")
    theirs, mine, finished_meanwhile = names

    def train_row(run, training, gathered):
        row = training[0]
        if row == theirs:
            raise InUse("another process trains it")
        assert row == mine
        results.add_result(tmp_path, rows.Plan(load("study")), found(finished_meanwhile))
        return found(row)

    monkeypatch.setattr(trainings, "train_row", train_row)
    trainings.study(rows.Plan(load("study")), tmp_path, tmp_path, rows=names, chosen_students=("resnet8",), seeds=1)
    assert results.read_results(tmp_path / "results.json", rows.Plan(load("study"))) == [
        found(mine),
        found(finished_meanwhile),
    ]


def test_a_row_whose_process_died_is_taken_at_last(tmp_path, monkeypatch, caplog):
    def found(row: str) -> dict:
        return result(row, 0, 0.9) | {"settings": dict(rows.ROWS[row]), "teachers": {}}

    dying, mine, busy = names = ("no teacher", "EfficientViT alone", "MobileViT alone")
    trained = []

    @contextlib.contextmanager
    def claimed(workdir, name):
        is_free = name.startswith("EfficientViT") or (name.startswith("no-teacher") and trained)
        yield None if is_free else "process 7 on there"

    def train_row(run, training, gathered):
        trained.append(training[0])
        return found(training[0])

    monkeypatch.setattr(trainings, "claimed", claimed)
    monkeypatch.setattr(trainings, "train_row", train_row)
    trainings.study(rows.Plan(load("study")), tmp_path, tmp_path, rows=names, chosen_students=("resnet8",), seeds=1)
    assert trained == [mine, dying]
    assert caplog.messages[-1] == (
        f"{busy}, resnet8, seed 0: left to process 7 on there; if that ends without a result, repeat this command"
    )


def test_results_of_other_settings_and_changed_rows(tmp_path):
    path = tmp_path / "results.json"
    kept = result("no teacher", 0, 0.9) | {"settings": rows.ROWS["no teacher"], "teachers": {}}
    changed = result("MobileViT alone", 0, 0.9) | {"settings": {}, "teachers": {}}
    results.write_results(tmp_path, rows.Plan(Config()), [changed, kept])
    assert results.read_results(path, rows.Plan(Config())) == [kept]
    elsewhere = Config(data=DataConfig(source="elsewhere/rgb", cache_dir="cache"), strategy="one")
    with pytest.raises(UserError, match="other settings"):
        results.read_results(path, rows.Plan(dataclasses.replace(Config(), seed=1)))
    assert results.comparable(elsewhere)["data"]["source"] == "rgb"
    older = json.loads(path.read_text())
    del older["config"]["distillation"]["sensor_noise"]
    digests.write_text(path, json.dumps(older))
    assert results.read_results(path, rows.Plan(Config())) == [kept]


def test_damaged_results(tmp_path):
    path = tmp_path / "results.json"
    results.write_results(tmp_path, rows.Plan(Config()), [result("no teacher", 0, 0.9)])
    flip(path, 0.5)
    with pytest.raises(
        UserError, match=r"results.json is damaged .*: restore a copy, or remove it and repeat the study"
    ):
        results.read_results(path, rows.Plan(Config()))
    for content in ("{", "[]", "{}", '{"config": {}}', '{"config": {}, "results": {}}'):
        digests.write_text(path, content)
        with pytest.raises(UserError, match="cannot be read"):
            results.read_results(path, rows.Plan(Config()))


def test_rows_of_teachers_that_were_trained_anew_are_left_out(tmp_path):
    name = str(tmp_path / "one.keras")
    tiny_network(10, 16, 0).save(name)
    common = dataclasses.replace(Config(), teachers=TeachersConfig(names=(name, name)))
    row = "both, equal weights"

    def taught_by(digests: dict[str, str]) -> dict:
        return result(row, 0, 0.9) | {"settings": rows.ROWS[row], "teachers": digests}

    kept = taught_by({"one": teachers.load(name).digest(), "fine-tuned by the study": "0" * 64})
    older = result(row, 0, 0.9) | {"settings": rows.ROWS[row]}
    results.write_results(tmp_path, rows.Plan(common), [kept, taught_by({"one": "0" * 64}), older])
    assert results.read_results(tmp_path / "results.json", rows.Plan(common)) == [kept]
    tiny_network(10, 16, 1).save(name)
    assert results.read_results(tmp_path / "results.json", rows.Plan(common)) == []


def test_students_that_the_study_does_not_name_come_last(tmp_path):
    found = [result("no teacher", 0, 0.9, student) | {"teachers": {}} for student in ("mixer", "my:build", "resnet8")]
    results.write_results(tmp_path, rows.Plan(Config()), found)
    written = json.loads((tmp_path / results.RESULTS_FILE).read_text())["results"]
    assert [each["student"] for each in written] == ["resnet8", "mixer", "my:build"]


def test_rows_of_a_changed_extension(tmp_path):
    kept = result("no teacher", 0, 0.9) | {"settings": rows.ROWS["no teacher"], "teachers": {}, "extensions": {}}
    changed = kept | {"seed": 1, "extensions": {"distillation.loss.name": "my_method:squares@0123456789ab"}}
    results.write_results(tmp_path, rows.Plan(Config()), [changed, kept])
    assert results.read_results(tmp_path / "results.json", rows.Plan(Config())) == [kept]


def test_rows_of_another_file_are_kept_behind_those_of_this_one(tmp_path):
    path = tmp_path / results.RESULTS_FILE
    first, second = (
        result(row, 0, 0.9) | {"settings": {"distillation.epochs": epochs}, "teachers": {}}
        for row, epochs in (("short", 1), ("long", 9))
    )
    results.add_result(tmp_path, rows.Plan(Config(), {"short": first["settings"]}), first)
    results.add_result(tmp_path, rows.Plan(Config(), {"long": second["settings"]}), second)
    assert json.loads(path.read_text())["results"] == [second, first]
    assert results.read_results(path, rows.Plan(Config(), {"long": {"distillation.epochs": 8}})) == [first]


def test_the_table_tells_whether_a_difference_may_be_chance():
    told = [
        result(row, 0, accuracy)
        | {"correct": significance.packed(np.arange(4860) < 4860 * accuracy), "split_sha256": "a"}
        for row, accuracy in (("none", 0.9), ("KL", 0.95), ("DKD", 0.9))
    ]
    table = results.table(told, {})
    assert "| row | against | points | McNemar's p, seed by seed |" in table
    assert "| KL | none | +5.00 | 0.000 |" in table
    assert "| DKD | none | +0.00 | 1.000 |" in table
    assert "McNemar" not in results.table([result("none", 0, 0.9), result("KL", 0, 0.9)], {})
