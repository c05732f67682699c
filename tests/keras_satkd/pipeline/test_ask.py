import dataclasses

import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DistillationConfig, TeachersConfig
from keras_satkd.pipeline.ask import ask
from keras_satkd.settings.data_config import DataConfig


def config(tmp_path, **distillation) -> Config:
    return Config(
        data=DataConfig(source="synthetic", synthetic_images=60, image_size=16, cache_dir=str(tmp_path / "cache")),
        teachers=TeachersConfig(names=("efficientvit_m0@64",)),
        distillation=DistillationConfig(**{"logits_store": str(tmp_path / "store")} | distillation),
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"logits_store": None}, "give the store's folder"),
        ({"teacher_logits": "in-loop"}, "in-loop stores nothing"),
        ({}, r"teacher efficientvit_m0@64 is not trained: run keras_satkd\.teach first"),
    ],
    ids=["no folder", "in-loop", "untrained"],
)
def test_what_cannot_be_stored_is_one_line(tmp_path, changed, said):
    with pytest.raises(UserError, match=said):
        ask(config(tmp_path, **changed), 1, 2)
    assert not (tmp_path / "store").exists()


def test_an_unknown_teacher(tmp_path):
    given = config(tmp_path)
    unknown = dataclasses.replace(given, teachers=TeachersConfig(names=("efficientvit_m99",)))
    with pytest.raises(UserError, match="efficientvit_m99"):
        ask(unknown, 1, 2)
