import json

import pytest

from firmware_export.common import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "model.h5"
    files.write_bytes(path, b"old")

    def fail(temporary):
        temporary.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_with(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_savers_that_choose_the_format_by_its_ending_see_it(tmp_path):
    seen = []
    files.write_with(tmp_path / "deep" / "student.weights.h5", lambda path: seen.append(path.name))
    assert seen[0].endswith(".weights.h5")


def test_json_is_json(tmp_path):
    files.write_json(tmp_path / "a.json", {"a": [1, 2.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5]}
