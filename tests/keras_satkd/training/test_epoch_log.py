import tf_keras
from tests_support import tiny_network

from keras_satkd.distiller import Distiller
from keras_satkd.run import history
from keras_satkd.training.epoch_log import EpochLog
from keras_satkd.training.fit import MONITORED


def test_patience_follows_the_selected_score(tmp_path):
    rows = [{"phase": "p", "epoch": str(at), "val_accuracy": str(at), "val_macro_f1": str(-at)} for at in range(1, 5)]
    history.write(tmp_path / "metrics.csv", rows)
    logs = [
        EpochLog(tmp_path / "metrics.csv", "p", tmp_path / "best", 3, MONITORED[name])
        for name in ("accuracy", "macro-f1")
    ]
    assert [log.is_finished(9) for log in logs] == [False, True]


def test_an_epoch_before_the_first_candidate_is_never_the_best_and_costs_no_patience(tmp_path):
    def log(scores):
        rows = [
            {"phase": "p", "epoch": str(at), "val_accuracy": str(score)} for at, score in enumerate(scores, start=1)
        ]
        history.write(tmp_path / "metrics.csv", rows)
        return EpochLog(tmp_path / "metrics.csv", "p", tmp_path / "best", 2, MONITORED["accuracy"], first=4)

    assert not log([0.9, 0.8, 0.7, 0.6]).is_finished(9)
    assert log([0.9, 0.8, 0.7, 0.6])._epochs_since_best() == 0  # kept, so that a resumed training finds weights
    assert log([0.9, 0.8, 0.7, 0.6, 0.0])._epochs_since_best() == 0
    assert log([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])._epochs_since_best() == 1
    assert log([0.9, 0.8, 0.7, 0.6, 0.2, 0.1, 0.1]).is_finished(9)


def test_only_the_chief_writes(tmp_path):
    path, best = tmp_path / "metrics.csv", tmp_path / "best.weights.h5"
    for is_chief in (False, True):
        log = EpochLog(path, "p", best, None, "val_accuracy", is_chief=is_chief)
        distiller = Distiller(tiny_network())
        distiller.compile(tf_keras.optimizers.SGD(0.5))
        log.set_model(distiller)
        log.on_epoch_begin(0)
        log.on_epoch_end(0, {"val_accuracy": 0.5})
        assert log.epochs() == 1
        assert (path.exists(), best.exists()) == (is_chief, is_chief)
    assert history.read(path)[0]["learning_rate"] == "0.5"
