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
