import pytest

from keras_satkd.config import Config
from keras_satkd.study import rows


@pytest.mark.parametrize("row", rows.ROWS)
def test_every_row_is_a_configuration(row):
    config = rows.row_config(Config(), row, "resnet16", 2)
    assert (config.student, config.seed) == ("resnet16", 2)
    assert config.distillation.weighting.rule == rows.ROWS[row]["distillation.weighting.rule"]


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
