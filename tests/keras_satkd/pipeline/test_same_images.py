import dataclasses
import json

import pytest

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from keras_satkd.config import Config
from keras_satkd.data.few_labels import divide
from keras_satkd.data.sources import load
from keras_satkd.data.splits import split
from keras_satkd.pipeline.inputs import begin
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA
from keras_satkd.settings.data_config import DataConfig

SMALL = Config(data=DataConfig(source="synthetic", synthetic_images=40, image_size=16))


@pytest.fixture
def divided(tmp_path):
    """The images of a run that has begun in the folder `run`."""
    found = split(load(SMALL.data), SMALL.data)
    train, hidden = divide(found.train, 1)
    found = dataclasses.replace(found, train=train, hidden=hidden)
    begin(Run(tmp_path / "run", SMALL), found, others=hidden)
    return found


def repainted(images):
    """The same names and classes, with one pixel of one image changed."""
    pixels = images.images.copy()
    pixels[-1, 0, 0, 0] ^= 1
    return dataclasses.replace(images, images=pixels)


@pytest.mark.parametrize("part", ["train", "validation", "test", "hidden"])
def test_other_pixels_under_the_same_names_are_refused(tmp_path, divided, part):
    other = dataclasses.replace(divided, **{part: repainted(getattr(divided, part))})
    assert other.sha256 == divided.sha256
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="was made with other pixels than the images of synthetic have now, because"):
        begin(Run(tmp_path / "run", SMALL), other, others=divided.hidden)
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    begin(Run(tmp_path / "run", SMALL), divided, others=divided.hidden)


def test_other_unlabelled_pixels_are_refused(tmp_path, divided):
    with pytest.raises(UserError, match="other pixels than the images of its unlabelled set have now"):
        begin(Run(tmp_path / "run", SMALL), divided, others=repainted(divided.hidden))
    begin(Run(tmp_path / "run", SMALL), divided)  # a step that does not use them


def test_a_run_that_did_not_record_its_pixels_resumes(tmp_path, divided):
    file = tmp_path / "run" / "metrics.json"
    values = json.loads(file.read_text())
    del values["data"]["pixels_sha256"], values["data"]["unlabelled_sha256"]
    digests.write_json(file, values)
    other = dataclasses.replace(divided, train=repainted(divided.train))
    run = Run(tmp_path / "run", SMALL)
    begin(run, other, others=repainted(divided.hidden))
    assert run.results[DATA].pixels_sha256 is None
