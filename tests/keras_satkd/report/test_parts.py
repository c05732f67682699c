import made_up_run
import pytest

from keras_satkd.report import parts, summary


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_up_run.finished(tmp_path_factory.mktemp("parts") / "run")


def test_rows_are_as_wide_as_the_headings(run):
    found = parts.table(run)
    assert found.rows
    assert {len(row) for row in found.rows} == {len(found.headings)}
    assert found.caption.endswith(".")


def test_the_part_that_was_asked_for_is_marked_and_time_is_shown_only_if_counted(run, monkeypatch):
    found = parts.table(run)
    assert [row[0] for row in found.rows if "asked for" in row[0]] == ["Microchip SAMV71Q21RT (asked for)"]
    assert "ms, estimated" not in found.headings
    assert "an estimate for the row engine" not in found.caption
    exported = summary.firmware(run)
    exported["targets"][0]["rows_milliseconds"] = [140.2, 239.0]
    monkeypatch.setattr(summary, "firmware", lambda _: exported)
    found = parts.table(run)
    assert "Milliseconds: an estimate for the row engine" in found.caption
    assert found.headings[-1] == "ms, estimated"
    assert [row[-1] for row in found.rows[:2]] == ["140 to 240", "not counted"]
