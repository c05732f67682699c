import json

import pytest
from filelock import Timeout

from firmware_export.common.errors import UserError
from keras_satkd.study import claims
from keras_satkd.study.claims import claimed


@pytest.fixture
def theirs(monkeypatch):
    """Another process has every lock."""

    def taken(path, *, waits):
        raise Timeout(str(path))

    monkeypatch.setattr(claims, "lock", taken)


def test_a_claim_lasts_as_long_as_the_block(tmp_path):
    owner = tmp_path / "claims" / "row.json"
    with claimed(tmp_path, "row") as other:
        assert other is None
        assert set(json.loads(owner.read_text())) == {"process", "host"}
    assert not owner.exists()
    with claimed(tmp_path, "row") as other:
        assert other is None


def test_a_claim_of_another_process(tmp_path, theirs):
    (tmp_path / "claims").mkdir()
    with claimed(tmp_path, "row") as other:
        assert other == "another process"
    (tmp_path / "claims" / "row.json").write_text('{"process": 12, "host": "there"}')
    with claimed(tmp_path, "row") as other:
        assert other == "process 12 on there"


def test_a_failure_releases_the_claim(tmp_path):
    with pytest.raises(ValueError, match="x"), claimed(tmp_path, "row"):
        raise ValueError("x")
    with claimed(tmp_path, "row") as other:
        assert other is None


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "claims").touch()
    with pytest.raises(UserError, match=r"--workdir .* cannot be written: File exists"), claimed(tmp_path, "row"):
        pass
