"""`python -m keras_satkd.evaluate`: score a model on labeled images.

python -m keras_satkd.evaluate runs/eurosat/student_int8.tflite --data EuroSAT_RGB.zip
python -m keras_satkd.evaluate student.keras --data new_pictures --split all --corruptions --json
"""

import contextlib
import dataclasses
import json
import logging
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import tyro

from firmware_export.common import defaults
from firmware_export.common.command_line import MayBePath, Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import UserError, exit_on_user_error
from keras_satkd.cli import quiet_imports
from keras_satkd.config import Config
from keras_satkd.config_io import flatten, validated
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.settings.setting_types import InputRange

if TYPE_CHECKING:
    import numpy as np

    from firmware_export.images.image_set import ImageSet
    from keras_satkd.camera.sensor import Sensor
    from keras_satkd.evaluation.classifier import Classifier
    from keras_satkd.pgd import Attack

logger = logging.getLogger("keras_satkd")


@dataclass(frozen=True)
class Arguments:
    """Score a model on images.

    Prints accuracy, macro and weighted precision, recall and F1, the expected calibration error, and precision and
    recall of each class.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """An int8 .tflite, a Keras model (.keras, .h5), a SavedModel, a teacher's .onnx or .toml file, a teacher folder,
    or a shipped model (`NAME`, or `shipped:NAME` if a path of that name exists).
    Class names come from `class_names` in a JSON file beside it (student.json for student.keras), if there is one."""

    data: DataConfig = field(default_factory=lambda: DataConfig(source=tyro.MISSING))
    """As in training: the same seed and fractions give the same split. The prefix `data.` may be omitted, as in --seed.
    The image size applies to teacher folders only; any other model gets images of its own input size."""

    split: Literal["test", "validation", "train", "all"] = "test"
    """The part to score, split as in training by seed and fractions; `all`: every image, without a split."""

    corruptions: bool = False
    """Also score corrupted images (noise, motion blur, JPEG, light) at five severities each."""

    camera: bool = False
    """Also score the images under every disturbance of a camera: noise, optics, detector, radiometry, compression,
    geometry, atmosphere; and show risk against coverage behind the example sensors. This takes about 70 times as long;
    --limit 1000 is enough for most purposes."""

    sensor: Annotated[str | None, MayBePath] = None
    """Also score the images as a sensor captures them, and show risk against coverage behind it: its TOML file, or one
    of the package's sensors (healthy, poor)."""

    guide: Annotated[str | None, MayBePath] = None
    """A model on the ground, such as a teacher: also show the accuracy if the model answers the images that it is sure
    of, and this one the others, over the share of images sent to the ground."""

    pgd: float | None = None
    """Also score images that an attack (PGD) has changed by at most so many levels of 255, for a float Keras model."""

    pgd_steps: int = 20
    """Steps of the attack."""

    pgd_step_size: float | None = None
    """Levels of 255 in a step of the attack. If not set, 2.5 · pgd / steps."""

    drift: bool = False
    """Evaluate the drift monitor that the export would write for this int8 model: its false alarms, and the windows in
    which it detects each disturbance. Its bounds come from the validation images. With --sensor, all images are as the
    sensor gives them. The first 1,000 images are disturbed, about 80 times."""

    false_alarm_rate: float = defaults.FALSE_ALARM_RATE
    """Highest rate of false alarms of the drift monitor, per window of images."""

    drift_window: int = defaults.DRIFT_WINDOW
    """Number of images after which the drift monitor decides."""

    json: bool = False
    """Print one JSON object with scores in [0, 1] instead of tables in percent. If the labels speak for another input
    range, order of colors, or order of classes, its `doubt` says so."""

    input_range: InputRange | None = None
    """Values that a Keras or int8 model expects of pixels 0 to 255. Found from a Keras model's Rescaling (otherwise
    0..1) or an int8 model's input scale and zero point. Teacher folders define their own."""

    trust_model: bool = False
    """Also load a Keras model that can run code on this machine: only if you trust the author of the file."""

    limit: int | None = None
    """Score at most this many images of the part, chosen at random."""

    verbosity: VerbosityFlags = Verbosity()

    def data_config(self, image_size: int) -> DataConfig:
        """The data settings at `image_size` pixels.

        Raises:
            UserError: a value is out of its range.
        """
        return validated(Config(data=dataclasses.replace(self.data, image_size=image_size))).data


SHORT_OPTIONS = {
    f"--{prefix}{name}": f"--data.{prefix}{name}"
    for name in (setting.replace("_", "-") for setting in flatten(dataclasses.asdict(DataConfig())))
    for prefix in ("", "no-")
}
"""Options of `data` without their prefix → full names."""


def main() -> NoReturn:
    """The command line."""
    exit_on_user_error(_work)


def _work() -> None:
    arguments = read(Arguments, "keras_satkd.evaluate", short_options=SHORT_OPTIONS)
    show_log(arguments.verbosity.level)
    arguments.data_config(arguments.data.image_size)
    if arguments.limit is not None and arguments.limit < 1:
        raise UserError(f"--limit is {arguments.limit}: give 1 or more images, or leave it out")
    if arguments.drift:
        _check_drift(arguments)
    # Model builders and TFDS print on stdout, where only the result belongs.
    with contextlib.redirect_stdout(sys.stderr):
        result = _result(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        _print_tables(result)


def _result(arguments: Arguments) -> dict[str, Any]:
    with quiet_imports():
        from keras_satkd.camera import sensor as sensors
        from keras_satkd.data import duplicates, scaling_log
        from keras_satkd.data.reading import rgb_of
        from keras_satkd.evaluation import classifier as classifiers
        from keras_satkd.evaluation import input_checks, scoring
    sensor = None if arguments.sensor is None else sensors.load(arguments.sensor)
    size, trust = arguments.data.image_size, arguments.trust_model
    classifier = classifiers.load(arguments.model, arguments.input_range, size, trust=trust)
    part = _images(arguments, classifier)
    rgb = rgb_of(part.channel_names, arguments.data)
    classifier = classifier.for_bands(part.channel_names, rgb)
    if classifier.scaling is not None and (arguments.camera or sensor is not None):
        scaling_log.warn_of_black(classifier.scaling)
    attack = _attack(arguments, classifier)
    labels = scoring.model_labels(part.labels, part.class_names, classifier)
    if contradicted := duplicates.of_two_classes([part]):
        logger.warning("%s", contradicted)
    doubt = input_checks.doubt(classifier, part.images, labels, arguments.data.bands)
    if doubt is not None:
        logger.warning("model %s %s", classifier.name, doubt)
    guidance = {} if arguments.guide is None else {"guidance": _guidance(arguments, classifier, part, labels)}
    if classifier.class_names is None:
        classifier = dataclasses.replace(classifier, class_names=part.class_names)
    # The folder of a path depends on this machine, so only its last part is reported; a TFDS name is reported in full.
    source = " + ".join(
        Path(source).resolve().name if os.path.exists(os.path.expanduser(source)) else source
        for source in arguments.data.sources
    )
    return {
        "model": classifier.name,
        "data": source,
        "split": arguments.split,
        **({} if doubt is None else {"doubt": doubt}),
        **scoring.evaluate(classifier, part.images, labels, arguments.corruptions, arguments.camera, sensor, attack),
        **guidance,
        **({"drift": _drift(arguments, classifier, part, labels, sensor)} if arguments.drift else {}),
    }


def _attack(arguments: Arguments, classifier: "Classifier") -> "Attack | None":
    from keras_satkd import pgd

    if arguments.pgd is None:
        return None
    if classifier.differentiable is None:
        raise UserError(f"--pgd needs gradients, and {arguments.model!r} has none: give a float Keras model")
    return pgd.attack_of(arguments.pgd, arguments.pgd_steps, arguments.pgd_step_size)


def _guidance(arguments: Arguments, student: "Classifier", part: "ImageSet", labels: "np.ndarray") -> dict[str, Any]:
    from keras_satkd.data.reading import rgb_of
    from keras_satkd.evaluation import classifier as classifiers
    from keras_satkd.evaluation import guidance, input_checks, scoring

    guide = classifiers.load(arguments.guide or "", None, student.image_size, trust=arguments.trust_model)
    # A guide that does not say which samples it was trained on gets those of the student.
    guide = dataclasses.replace(guide, scaling=guide.scaling or student.scaling)
    is_same = guide.image_size == student.image_size and guide.scaling == student.scaling
    seen = part if is_same else _images(arguments, guide)
    guide = guide.for_bands(seen.channel_names, rgb_of(seen.channel_names, arguments.data))
    true = scoring.model_labels(seen.labels, seen.class_names, guide)
    if doubt := input_checks.doubt(guide, seen.images, true, arguments.data.bands, by_options=False):
        logger.warning("guide %s %s", guide.name, doubt)
    is_known = guide.logits(seen.images).argmax(axis=1) == true
    outputs = (student.codes or student.logits)(part.images)
    return guidance.curves(outputs, labels, {guide.name: is_known}, student.threshold)


def _check_drift(arguments: Arguments) -> None:
    from firmware_export.drift import monitor

    monitor.check(arguments.drift_window, arguments.false_alarm_rate)
    if not arguments.model.endswith(".tflite"):
        raise UserError(f"--drift is for int8 models, {arguments.model!r} is none: give a .tflite file")
    if arguments.split in ("validation", "all"):
        raise UserError(
            f"--drift compares images with the validation images, which --split {arguments.split} contains: give test"
        )


def _drift(
    arguments: Arguments, classifier: "Classifier", part: "ImageSet", labels: "np.ndarray", sensor: "Sensor | None"
) -> dict[str, Any]:
    from firmware_export.tflite import reader
    from keras_satkd.evaluation import drift, scoring
    from keras_satkd.models import pretrained

    model = reader.read(pretrained.path(arguments.model).read_bytes()).with_range(arguments.input_range)
    whole = dataclasses.replace(arguments, split="validation", limit=None)
    validation = _images(whole, classifier)
    part, validation = (each.evenly("drift") for each in (dataclasses.replace(part, labels=labels), validation))
    images, reference = (each.images if sensor is None else sensor.capture(each.images) for each in (part, validation))
    true = scoring.model_labels(validation.labels, validation.class_names, classifier)
    monitor = drift.monitor_of(model, reference, true, arguments.drift_window, arguments.false_alarm_rate)
    if (reason := drift.obstacle(monitor, part.labels)) is not None:
        raise UserError(f"--drift: {reason}")
    return drift.evaluate(monitor, model, images, part.labels)


def _images(arguments: Arguments, classifier: "Classifier") -> "ImageSet":
    """The part to score, as the 8-bit codes that the model was trained on."""
    import numpy as np

    from keras_satkd.data import scaling
    from keras_satkd.data.sources import load

    settings, limit = arguments.data_config(classifier.image_size), arguments.limit
    if not settings.bands:
        settings = dataclasses.replace(settings, bands=classifier.own_bands)
    if arguments.split != "all":
        divided, _ = scaling.load_split(settings, classifier.scaling)
        part = {"train": divided.train, "validation": divided.validation, "test": divided.test}[arguments.split]
        return part.take(range(min(limit, len(part)))) if limit else part
    images = load(settings)
    images = scaling.scaled(images, classifier.scaling or scaling.decide(images, settings))
    # Without a split, images are ordered by class, so the first few would all belong to one class.
    return images.take(np.random.default_rng(settings.seed).permutation(len(images))[:limit]) if limit else images


def _print_tables(result: dict[str, Any]) -> None:
    from rich.console import Console

    from keras_satkd.evaluation import score_tables

    console = Console(highlight=False)
    console.print(f"{result['model']} on {result['images']:,} images of {result['data']}", markup=False, soft_wrap=True)
    for table in score_tables.tables(result):
        console.print(table)


if __name__ == "__main__":
    main()
