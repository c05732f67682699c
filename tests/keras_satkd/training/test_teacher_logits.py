import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.camera.training import Mixture, Range
from keras_satkd.config import DistillationConfig, MixingConfig
from keras_satkd.data.splits import Split
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.teacher_logits import compute_teacher_logits
from keras_satkd.training.view_logits import ask_shard

CAMERA = Mixture({"gain": Range(1.0, 0.5, 0.9)}, 0.7)
MIXING = MixingConfig(method="both", share=0.8)


@pytest.mark.parametrize(("camera", "mixing"), [(None, None), (CAMERA, None), (CAMERA, MIXING)], ids=str)
def test_logits_of_a_store_are_those_of_the_run(image_set, teacher, tmp_path, camera, mixing):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    both = [teacher("one", 1), teacher("two", 2)]
    data, loss = DataConfig(image_size=16, seed=3, cache_dir=str(tmp_path / "cache")), DistillationConfig(views=3)
    settings = {"camera": camera, "mixing": mixing}
    computed = compute_teacher_logits(both, split, loss, "satellite", data, **settings)
    with pytest.raises(UserError, match="has no logits of teacher one in it: run `python"):
        compute_teacher_logits(both, split, loss, "satellite", data, **settings, store=tmp_path / "store")
    for shard in (2, 1):
        for each in both:
            path, is_new = ask_shard(
                each,
                split.train.images,
                policy="satellite",
                views=3,
                seed=3,
                store=tmp_path / "store",
                shard=shard,
                shards=2,
                batch_size=4,
                **settings,
            )
            assert is_new
            assert path.exists()
    stored = compute_teacher_logits(both, split, loss, "satellite", data, **settings, store=tmp_path / "store")
    np.testing.assert_allclose(stored.training.logits, computed.training.logits, atol=4e-3)  # of float16
    np.testing.assert_array_equal(stored.training.draws, computed.training.draws)
    assert stored.calibration == computed.calibration
