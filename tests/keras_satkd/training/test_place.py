from types import SimpleNamespace

from keras_satkd.training.parallel import ONE
from keras_satkd.training.place import Place


def test_a_run_without_devices_trains_on_the_only_one(tmp_path):
    run = SimpleNamespace(workdir=tmp_path, lowers=True, parallel=None, remote=None)
    assert Place.of(run) == Place(tmp_path, lowers=True, parallel=ONE, remote=None)
