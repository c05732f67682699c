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
