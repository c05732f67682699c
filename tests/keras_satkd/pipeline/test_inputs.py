import dataclasses
import json
import logging
import os
import shutil

import numpy as np
import pytest
from damage import damage
from PIL import Image
from rasters import geotiff, raster_folder
from tests_support import tiny_network

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.images import samples, scaling
from keras_satkd.camera import sensor
from keras_satkd.camera.training import Mixture
from keras_satkd.config import Config, DistillationConfig, TeachersConfig, WeightingConfig
from keras_satkd.data.sources import load
from keras_satkd.models import pretrained, teacher_zoo
from keras_satkd.pipeline import inputs
from keras_satkd.run import stages
from keras_satkd.run.folder import Run
from keras_satkd.run.results import DistillationResult, TeacherResult
from keras_satkd.run.stages import DATA, DISTILLATION
from keras_satkd.settings.data_config import DataConfig

SMALL = Config(
    data=DataConfig(source="synthetic", synthetic_images=40, image_size=16),
    teachers=TeachersConfig(names=("efficientvit_m0@64", "mobilevit_xxs@64"), initial_weights="none"),
)


def changed(**groups) -> Config:
    parts = {name: dataclasses.replace(getattr(SMALL, name), **values) for name, values in groups.items()}
    return dataclasses.replace(SMALL, **parts)


@pytest.fixture
def _offline(monkeypatch):
    monkeypatch.setattr(teacher_zoo, "_with_imagenet_weights", lambda *_: None)


def test_the_run_is_claimed_with_its_split(tmp_path):
    run = Run(tmp_path / "run", SMALL)
    found = inputs.prepare(run)
    assert found.teachers == {"efficientvit_m0@64": None, "mobilevit_xxs@64": None}
    assert found.teachers_of_teachers == []
    assert run.results[DATA].train == len(found.split.train)
    assert run.results[DATA].split_sha256 == found.split.sha256
    assert {path.name for path in run.workdir.iterdir()} >= {"config.json", "metrics.json", "split.json"}


@pytest.mark.usefixtures("_offline")
def test_without_imagenet_weights_nothing_is_claimed_and_the_advice_works(tmp_path):
    with pytest.raises(UserError, match=r"go online, or use --teachers\.initial-weights none"):
        inputs.prepare(Run(tmp_path / "run", changed(teachers={"initial_weights": "imagenet"})))
    assert not (tmp_path / "run").exists()
    inputs.prepare(Run(tmp_path / "run", SMALL))


@pytest.mark.usefixtures("_offline")
def test_weights_that_are_not_needed_any_more_are_not_asked_for(tmp_path):
    config = changed(teachers={"initial_weights": "imagenet"})
    run = Run(tmp_path / "run", config)
    run.claim()
    for name in config.teachers.names:
        run.step(stages.teacher(name), TeacherResult)
    inputs.prepare(Run(tmp_path / "run", config))


@pytest.mark.usefixtures("_offline")
def test_a_run_without_teachers_asks_for_no_weights_unless_it_fine_tunes_them(tmp_path):
    config = changed(teachers={"initial_weights": "imagenet"}, distillation={"weighting": WeightingConfig(rule="none")})
    with pytest.raises(UserError, match="ImageNet weights are not available"):
        inputs.prepare(Run(tmp_path / "teachers", config), fine_tunes_only=True)
    inputs.prepare(Run(tmp_path / "run", config))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {
                "teachers": {"taught_by": (pretrained.EUROSAT_TEACHERS[0],)},
                "distillation": {"weighting": WeightingConfig(rule="paper-batch")},
            },
            "for two teachers, not 1",
        ),
        (
            {"teachers": {"initial_weights": pretrained.EUROSAT_TEACHERS[0]}},
            "does not contain the weights of teacher efficientvit_m0@64",
        ),
    ],
)
def test_what_later_steps_would_refuse_is_refused_before_anything_is_claimed(tmp_path, groups, message):
    with pytest.raises(UserError, match=message):
        inputs.prepare(Run(tmp_path / "run", changed(**groups)))
    assert not (tmp_path / "run").exists()


def test_other_images_than_those_of_the_finished_steps_are_refused(tmp_path):
    workdir = tmp_path / "run"
    inputs.prepare(Run(workdir, SMALL))
    values = json.loads((workdir / "metrics.json").read_text())
    values["data"]["split_sha256"] = "0" * 64
    digests.write_json(workdir / "metrics.json", values)
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="was made with other images than synthetic has now: give the same images"):
        inputs.prepare(Run(workdir, SMALL))
    assert before == {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}


def test_classes_whose_names_are_not_utf_8_are_refused_before_anything_is_claimed(tmp_path):
    for name in (b"Forest", b"For\xeat"):
        folder = tmp_path / "images" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (64, 64), (0, 40 * index, len(name))).save(folder / f"{index}.png")
    with pytest.raises(UserError, match=r"images: 'For\\udceat' is not UTF-8: rename that file, folder or class"):
        inputs.prepare(Run(tmp_path / "run", changed(data={"source": str(tmp_path / "images")})))
    assert not (tmp_path / "run").exists()


def with_sensor(path, text: str) -> Config:
    path.write_text(text)
    return changed(camera={"sensor": str(path)})


def begun(workdir, config) -> inputs.Inputs:
    """The inputs of a run that has finished a step of training."""
    run = Run(workdir, config)
    found = inputs.prepare(run)
    run.step(DISTILLATION, lambda: DistillationResult("student.keras", 98_522, 58_393_216))
    return found


def test_the_run_keeps_its_sensor(tmp_path):
    config = with_sensor(tmp_path / "mine.toml", "snr = 20\n[compression]\njpeg = 90")
    found = begun(tmp_path / "run", config)
    assert (found.sensor.name, found.camera) == ("mine", found.sensor.mixture(0.5))
    assert sensor.load(str(tmp_path / "run" / "sensor.toml")) == found.sensor
    # Comments and the order of the figures are no figures.
    with_sensor(tmp_path / "mine.toml", "# mine\ncompression = { jpeg = 90 }\nsnr = 20.0")
    assert inputs.prepare(Run(tmp_path / "run", config)).sensor == found.sensor
    (tmp_path / "mine.toml").unlink()
    assert inputs.prepare(Run(tmp_path / "run", config)).sensor == found.sensor


def test_a_changed_sensor_is_refused_once_training_has_begun(tmp_path):
    config = with_sensor(tmp_path / "mine.toml", "snr = 20\npsf = 0.5")
    inputs.prepare(Run(tmp_path / "run", config))
    # Nothing was trained, so nothing is lost.
    with_sensor(tmp_path / "mine.toml", "snr = 30\npsf = 0.5")
    assert begun(tmp_path / "run", config).sensor.snr.value == 30
    with_sensor(tmp_path / "mine.toml", "snr = { value = 40, range = [15, 60] }")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    message = (
        r"run was made with psf.value=0.5 \(now None\), .*, snr.value=30.0 \(now 40.0\) in --sensor .*mine.toml: "
        r"restore them \(the run's copy is .*sensor.toml\), or give another folder"
    )
    with pytest.raises(UserError, match=message) as error:
        inputs.prepare(Run(tmp_path / "run", config))
    assert "\n" not in str(error.value)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_run_from_before_sensors_were_kept_keeps_the_given_one(tmp_path):
    config = with_sensor(tmp_path / "mine.toml", "snr = 20")
    begun(tmp_path / "run", config)
    (tmp_path / "run" / "sensor.toml").unlink()
    assert inputs.prepare(Run(tmp_path / "run", config)).sensor.snr.value == 20
    assert (tmp_path / "run" / "sensor.toml").exists()


def test_runs_without_one_sensor_keep_none(tmp_path):
    found = inputs.prepare(Run(tmp_path / "run", changed(camera={"sensor": "any"})))
    assert (found.sensor, found.camera) == (None, Mixture(share=0.5))
    assert not (tmp_path / "run" / "sensor.toml").exists()


@pytest.mark.parametrize(
    ("text", "message"), [("snr = [10, 20]", "snr has 2 bands, the images have 3"), ("sn = 3", "unknown figure 'sn'")]
)
def test_a_sensor_that_does_not_fit_is_refused_before_anything_is_claimed(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        inputs.prepare(Run(tmp_path / "run", with_sensor(tmp_path / "mine.toml", text)))
    assert not (tmp_path / "run").exists()


def lowering(workdir, config) -> Run:
    run = Run(workdir, config)
    run.lowers = True
    return run


WITHOUT_TEACHERS = WeightingConfig(rule="none")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"teachers": {"schedule": "plateau"}}, "schedule 'plateau' cannot be exported"),
        ({"teachers": {"augmentation": "randaugment"}}, "augmentation 'randaugment' cannot be exported"),
        ({"distillation": {"schedule": "plateau", "weighting": WITHOUT_TEACHERS}}, "schedule 'plateau'"),
        (
            {
                "teachers": {"names": ("shipped:efficientvit_m2_eurosat",)},
                "data": {"source": "synthetic"},
                "distillation": {"teacher_logits": "in-loop"},
            },
            "teachers in the loop cannot be exported",
        ),
    ],
)
def test_a_training_that_no_program_can_hold_is_refused_before_the_folder_is_claimed(tmp_path, groups, message):
    with pytest.raises(UserError, match=message):
        inputs.prepare(lowering(tmp_path / "run", changed(**groups)))
    assert not (tmp_path / "run").exists()


def test_only_the_next_training_must_fit_into_a_program(tmp_path):
    groups = {"quantization": {"schedule": "plateau"}, "distillation": {"weighting": WITHOUT_TEACHERS}}
    run = lowering(tmp_path / "run", changed(**groups))
    found = inputs.prepare(run)
    run.step(DISTILLATION, lambda: DistillationResult("student.keras", 1, 1))
    with pytest.raises(UserError, match="schedule 'plateau' cannot be exported"):
        inputs.begin(run, found.split)


def test_classes_that_no_command_can_quote_are_refused_before_anything_is_claimed(tmp_path):
    for name in ("-cloud", "-clear"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(folder / "0.png")
    with pytest.raises(UserError, match="'-cloud' begins with '-'"):
        inputs.prepare(Run(tmp_path / "run", changed(data={"source": str(tmp_path / "images")})))
    assert not (tmp_path / "run").exists()


def test_a_damaged_list_of_the_split_is_written_again(tmp_path, caplog):
    workdir = tmp_path / "run"
    inputs.prepare(Run(workdir, SMALL))
    whole = (workdir / "split.json").read_bytes()
    for seed in range(3):
        damage(workdir / "split.json", seed)
        inputs.prepare(Run(workdir, SMALL))
        assert (workdir / "split.json").read_bytes() == whole
    assert "split.json is damaged or missing: it is written again" in caplog.text


def with_teacher(path, **distillation) -> Config:
    return changed(teachers={"names": (str(path),)}, distillation=distillation)


def test_logits_from_a_file_are_checked_before_anything_is_claimed(tmp_path):
    images = load(SMALL.data)
    logits = np.eye(len(images.class_names), dtype=np.float32)[images.labels]
    path, names = tmp_path / "given.npz", np.array(images.files)
    for entries, message in (
        ({"names": names[1:], "logits": logits[1:]}, f"given lacks '{names[0]}' "),
        (
            {"names": [*names, "more"], "logits": logits[[*range(40), 0]]},
            "images that the data lacks: 'more'",
        ),
        ({"names": names, "logits": logits[:, :3]}, "has 3 classes, the data has 10"),
        ({"names": names, "logits": logits * np.nan}, "has the value nan"),
    ):
        np.savez(path, **entries)
        with pytest.raises(UserError, match=message):
            inputs.prepare(Run(tmp_path / "run", with_teacher(path)))
    np.savez(path, names=names[::-1], logits=logits[::-1, ::-1], class_names=images.class_names[::-1])
    with pytest.raises(UserError, match="in-loop runs teachers"):
        inputs.prepare(Run(tmp_path / "run", with_teacher(path, teacher_logits="in-loop")))
    assert not (tmp_path / "run").exists()
    found = inputs.prepare(Run(tmp_path / "run", with_teacher(path))).teachers[str(path)]
    assert (found.of(images.files)[:, 0].argmax(axis=1) == images.labels).all()


def test_a_teachers_settings_put_its_classes_and_bands_in_order(tmp_path):
    names = load(SMALL.data).class_names
    tiny_network(10, 16).save(tmp_path / "mine.keras")
    shown = ", ".join(f'"{name}"' for name in names[::-1])
    path = tmp_path / "mine.toml"
    path.write_text(f'model = "mine.keras"\nbands = ["blue", "green", "red"]\nclass_names = [{shown}]\n')
    found = inputs.prepare(Run(tmp_path / "run", with_teacher(path))).teachers[str(path)]
    assert (found.bands, found.order) == ((2, 1, 0), tuple(range(10))[::-1])
    path.write_text('model = "mine.keras"\nbands = ["B02", "B03", "B04"]\n')
    with pytest.raises(UserError, match="mine sees band 'B02', the images have red, green, blue"):
        inputs.prepare(Run(tmp_path / "other", with_teacher(path)))


def test_what_was_found_is_logged(tmp_path, image_folder, caplog):
    shades = {f"Calm/{at}.png": at for at in range(30)} | {f"Fire/{at}.png": 100 + at for at in range(5)}
    folder = image_folder(shades)
    data = {"source": str(folder), "cache_dir": str(tmp_path / "cache")}
    with caplog.at_level(logging.INFO, "keras_satkd"):
        divided = inputs.prepare(Run(tmp_path / "run", changed(data=data))).split
    assert f"{folder}: 2 classes; images: 24 train, 4 validation, 7 test" in caplog.messages
    assert "  Fire: 3 train, 1 validation, 1 test" in caplog.messages
    assert any("the largest class has 7 times as many training images" in message for message in caplog.messages)
    assert "in another part" not in caplog.text
    shutil.copy(folder / divided.test.files[0], folder / divided.train.files[0])
    inputs.prepare(Run(tmp_path / "again", changed(data=data)))
    told = "1 training images are in another part too (1 exactly, 0 nearly), such as "
    assert told in caplog.text
    assert "--data.deduplicate removes them from training" in caplog.text
    caplog.clear()
    inputs.prepare(Run(tmp_path / "again", changed(data=data)))  # told once
    assert told not in caplog.text


@pytest.fixture
def scenes(tmp_path):
    """A configuration with images of four bands, and no teachers."""
    raster_folder(tmp_path / "scenes", 8)
    return Config(
        data=DataConfig(source=str(tmp_path / "scenes"), cache_dir=str(tmp_path / "cache"), image_size=16),
        distillation=DistillationConfig(weighting=WeightingConfig(rule="none")),
    )


def replaced(config, **groups):
    parts = {name: dataclasses.replace(getattr(config, name), **values) for name, values in groups.items()}
    return dataclasses.replace(config, **parts)


def test_each_teacher_sees_its_own_bands(tmp_path, scenes):
    tiny_network(2, 16, channels=2).save(tmp_path / "two.keras")
    tiny_network(2, 16).save(tmp_path / "rgb.keras")
    (tmp_path / "two.toml").write_text('model = "two.keras"\nbands = ["B08", "B02"]\n')
    names = (str(tmp_path / "two.toml"), str(tmp_path / "rgb.keras"))
    config = replaced(scenes, teachers={"names": names}, distillation={"weighting": WeightingConfig()})
    found = inputs.prepare(Run(tmp_path / "run", config)).teachers
    assert [found[name].bands for name in names] == [(3, 0), (2, 1, 0)]


def test_the_scaling_is_kept_and_checked(tmp_path, scenes, caplog):
    run = Run(tmp_path / "run", scenes)
    found = inputs.prepare(run)
    kept = run.path("scaling.json")
    assert scaling.load(kept) == found.scaling
    assert found.split.train.images.dtype == np.uint8
    assert found.rgb == (2, 1, 0)
    assert "scaling.json" in run.results[DATA].sha256
    damage(kept, 1)
    inputs.prepare(Run(tmp_path / "run", scenes))
    assert "scaling.json is damaged or missing: it is written again" in caplog.text
    assert scaling.load(kept) == found.scaling
    # Other samples under the same names.
    for file in (tmp_path / "scenes").rglob("*.tif"):
        file.write_bytes(geotiff(samples.read(file.read_bytes()).pixels // 8, ("B02", "B03", "B04", "B08")))
    with pytest.raises(UserError, match=r"another scaling of samples to codes \(scaling.json\), which is now high=\["):
        inputs.prepare(Run(tmp_path / "run", scenes))


def test_pictures_have_no_scaling(tmp_path):
    run = Run(tmp_path / "run", changed(distillation={"weighting": WeightingConfig(rule="none")}))
    assert inputs.prepare(run).scaling is None
    assert not run.path("scaling.json").exists()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"data": {"bands": ("B05",)}}, "unknown band 'B05'"),
        ({"data": {"scaling": ("0:99999",)}}, r"two whole numbers in 0\.\.65535"),
        ({"data": {"rgb": ("1", "2")}}, "give the red, the green and the blue band"),
        ({"distillation": {"augmentation": "randaugment", "teacher_logits": "in-loop"}}, "for RGB, the images have 4"),
    ],
    ids=["bands", "scaling", "rgb", "randaugment"],
)
def test_bands_that_do_not_serve_claim_nothing(tmp_path, scenes, groups, message):
    with pytest.raises(UserError, match=message):
        inputs.prepare(Run(tmp_path / "run", replaced(scenes, **groups)))
    assert not (tmp_path / "run").exists()


def test_teachers_of_rgb_need_to_know_the_colors(tmp_path, scenes):
    learned = {"distillation": {"weighting": WeightingConfig()}, "teachers": SMALL.teachers.__dict__}
    config = replaced(scenes, data={"band_names": ("a", "b", "c", "d")}, **learned)
    with pytest.raises(UserError, match=r"teacher efficientvit_m0@64 .* sees red, green and blue.*--data.rgb"):
        inputs.prepare(Run(tmp_path / "run", config))
    assert not (tmp_path / "run").exists()
