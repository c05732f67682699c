"""What a run's epochs cost and on what they ran."""

from keras_satkd import metrics_csv

HERE = {"phase": "quantization", "epoch": "1", "seconds": "120.5"}
ELSEWHERE = {"phase": "distillation", "epoch": "1", "seconds": "0.75", "hardware": "a GPU"}


def test_a_lowered_training_says_what_it_ran_on(tmp_path):
    path = tmp_path / metrics_csv.FILE
    metrics_csv.write(path, [ELSEWHERE, ELSEWHERE | {"epoch": "2"}, HERE])
    epochs = metrics_csv.read(path)
    assert metrics_csv.hardware(epochs, "two cores") == "a GPU; two cores"
    assert metrics_csv.hardware(epochs[2:], "two cores") == "two cores"
    assert metrics_csv.seconds(epochs) == 122.0
