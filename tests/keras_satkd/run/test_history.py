"""What a run's epochs cost and on what they ran."""

from firmware_export.common import digests
from keras_satkd.run import history

HERE = {"phase": "quantization", "epoch": "1", "seconds": "120.5"}
ELSEWHERE = {"phase": "distillation", "epoch": "1", "seconds": "0.75", "hardware": "a GPU"}


def test_rows_with_a_byte_order_mark_before_them_are_read(tmp_path):
    path = tmp_path / history.FILE
    history.write(path, [HERE])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    digests.record_of(path).unlink()  # as the message about a changed file says
    assert history.read(path) == [HERE]


def test_a_lowered_training_says_what_it_ran_on(tmp_path):
    path = tmp_path / history.FILE
    history.write(path, [ELSEWHERE, ELSEWHERE | {"epoch": "2"}, HERE])
    epochs = history.read(path)
    assert history.hardware(epochs, "two cores") == "a GPU; two cores"
    assert history.hardware(epochs[2:], "two cores") == "two cores"
    assert history.seconds(epochs) == 122.0


def test_phases_are_dropped_with_their_rows(tmp_path):
    path = tmp_path / history.FILE
    history.drop_phases(path, [])
    assert not path.exists()
    rows = [{"phase": phase, "epoch": "1"} for phase in ("teacher-one", "distillation", "quantization")]
    history.write(path, rows)
    history.drop_phases(path, ["distillation", "quantization"])
    assert history.read(path) == rows[:1]
