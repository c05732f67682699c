import json
import os
import subprocess
from pathlib import Path

import pytest
from damage import cut, flip
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common import digests
from firmware_export.common.errors import UserError


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "folder" / "scores.json"
    digests.write_json(path, {"score": 0.5})
    return path


def test_a_written_file_is_whole_and_sha256sum_agrees(written):
    assert json.loads(written.read_text()) == {"score": 0.5}
    assert digests.is_whole(written)
    digests.check(written)
    record = digests.record_of(written)
    assert record.parent == written.parent / "sha256"
    done = subprocess.run(["sha256sum", "--check", record.name], cwd=record.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_without_a_record_is_accepted(tmp_path):
    (tmp_path / "old").write_text("of an older version")
    assert digests.is_whole(tmp_path / "old")
    digests.check(tmp_path / "old")
    digests.check(tmp_path / "absent")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(content=st.text(min_size=1, max_size=200), at=st.floats(0, 1), bit=st.integers(0, 7), cuts=st.booleans())
def test_any_damage_is_noticed(tmp_path_factory, content, at, bit, cuts):
    path = tmp_path_factory.mktemp("digests") / "file"
    digests.write_text(path, content)
    cut(path, at) if cuts else flip(path, at, bit)
    assert not digests.is_whole(path)
    with pytest.raises(UserError, match=r"file is damaged \(its SHA-256 is not the one in .*\): do this") as caught:
        digests.check(path, "do this")
    assert "\n" not in str(caught.value)
    # A damaged record is damage too: which of both it is, nobody can know.
    digests.write_text(path, content)
    digests.record_of(path).write_bytes(b"\xff")
    assert not digests.is_whole(path)


@pytest.mark.parametrize("stops_before", range(12))
def test_a_kill_leaves_the_old_file_or_the_new_one_and_both_are_whole(written, monkeypatch, stops_before):
    calls = iter(range(100))

    class Killed(BaseException):
        pass

    def counted(function):
        def call(*arguments, **options):
            if next(calls) == stops_before:
                raise Killed
            return function(*arguments, **options)

        return call

    for name in ("replace", "write_bytes", "chmod"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    for content in ("first", "second"):
        try:
            digests.write_text(written, content)
        except Killed:
            break
    assert digests.is_whole(written)
    assert written.read_text() in ('{\n  "score": 0.5\n}\n', "first", "second")


def test_removal_leaves_nothing(written):
    other = written.with_name("other")
    digests.write_text(other, "x")
    digests.remove(written)
    assert sorted(path.name for path in written.parent.rglob("*")) == ["other", "other.sha256", "sha256"]
    digests.remove(other)
    digests.remove(other)
    assert not list(written.parent.iterdir())


@pytest.mark.parametrize("described", ["model.json", "metrics.json"])
def test_a_model_differs_from_its_description(tmp_path, described):
    model = tmp_path / "model.tflite"
    model.write_bytes(b"weights")
    digests.check_described(model)
    digest = digests.of(model)
    values = {"sha256": digest} if described == "model.json" else {"int8": {"sha256": {"model.tflite": digest}}}
    (tmp_path / described).write_text(json.dumps(values))
    digests.check_described(model)
    flip(model, 0.5)
    remedy = "copy it again" if described == "model.json" else "repeat the run's command"
    with pytest.raises(UserError, match=f"damaged or was replaced .*{described}.*{remedy}"):
        digests.check_described(model)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"sha256": 3}', '{"int8": {"sha256": [1]}}', "[" * 100_000])
def test_a_description_without_a_digest_says_nothing(tmp_path, text):
    (tmp_path / "model.tflite").write_bytes(b"weights")
    for name in ("model.json", "metrics.json"):
        (tmp_path / name).write_text(text)
    digests.check_described(tmp_path / "model.tflite")
