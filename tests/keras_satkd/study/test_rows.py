import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import Config
from keras_satkd.config_io import load
from keras_satkd.study import rows


@pytest.mark.parametrize("row", rows.ROWS)
def test_every_row_is_a_configuration(row):
    config = rows.Plan(Config()).config(row, "resnet16", 2)
    assert (config.student, config.seed) == ("resnet16", 2)
    assert config.distillation.weighting.rule == rows.ROWS[row]["distillation.weighting.rule"]


@pytest.mark.parametrize("preset", ["study", "eurosat"])
@pytest.mark.parametrize("file", sorted(path.stem for path in rows.FOLDER.iterdir()))
def test_files_that_ship(file, preset):
    rows.read_plan(load(preset), file).check()


def test_rows_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '["T = 2"]\ndistillation.temperature = 2.0\n["as it is"]\n'
        '[DKD]\nagainst = "T = 2"\ndistillation.loss.name = "dkd"\n'
    )
    plan = rows.read_plan(Config(), str(path))
    assert plan.rows == {
        "T = 2": {"distillation.temperature": 2.0},
        "as it is": {},
        "DKD": {"distillation.loss.name": "dkd"},
    }
    assert plan.against == {"DKD": "T = 2"}
    plan.check()
    assert plan.config("T = 2", "resnet8", 1).distillation.temperature == 2.0
    assert plan.config("as it is", "resnet8", 1).distillation == Config().distillation


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows: write each row as a table"),
        ("epochs = 3", "epochs is 3: write each row as a table of settings"),
        ("[a", "is not TOML"),
        ("[a]\ndistillation.epoch = 3", "row 'a' of the study: .*distillation.epoch"),
        ("[a]\ndistill.epochs = 3", "row 'a' of the study: .*distill"),
        ("[a]\nepochs = 3", "row 'a' of the study: .*epochs"),
        ('[a]\nstudent.name = "x"', "row 'a' of the study: .*student"),
        ("[a]\ndistillation.epochs = -3", "row 'a' of the study: distillation.epochs is -3"),
        ('[a]\nstudent = "resnet16"', "row 'a' of the study sets student: give --students instead"),
        ("[a]\nseed = 1", "row 'a' of the study sets seed: give --seeds instead"),
        ('[a]\n[b]\nagainst = "c"', "unknown row 'c'"),
        ('["T=2"]\n["T 2"]', "rows 'T=2' and 'T 2' of the study would share a folder: rename one"),
    ],
)
def test_rows_that_are_wrong(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        rows.read_plan(Config(), str(path)).check()


def test_files_that_do_not_exist():
    with pytest.raises(UserError, match="did you mean 'methods'"):
        rows.read_plan(Config(), "method")
    with pytest.raises(UserError, match=r"--rows-from mine.toml: No such file or directory"):
        rows.read_plan(Config(), "mine.toml")


def test_rows_have_folders_of_their_own(tmp_path):
    folders = {rows.run_folder(tmp_path, row, "resnet8", seed) for row in rows.ROWS for seed in range(3)}
    assert len(folders) == 3 * len(rows.ROWS)


def test_the_folder_of_a_student_of_ones_own(tmp_path):
    folders = {rows.run_folder(tmp_path, "no teacher", name, 0) for name in ("a/b.keras", "p.m:build", "mixer_50k")}
    assert {folder.name for folder in folders} == {
        "no-teacher-a-b.keras-0",
        "no-teacher-p.m-build-0",
        "no-teacher-mixer_50k-0",
    }
    assert {folder.parent for folder in folders} == {tmp_path}
