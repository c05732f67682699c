"""`python -m keras_satkd.select`: which unlabelled images a person should label next (active learning).

python -m keras_satkd.select runs/eurosat/student_int8.tflite --data new_pictures --count 100 --out to_label.csv
"""

import contextlib
import csv
import dataclasses
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import tyro

from firmware_export.common.command_line import MayBePath, Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import UserError, exit_on_user_error
from keras_satkd.cli import quiet_imports
from keras_satkd.config import Config
from keras_satkd.config_io import validated
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.settings.setting_types import Count, InputRange, Uncertainty

if TYPE_CHECKING:
    from keras_satkd.evaluation.ranking import Ranked


@dataclass(frozen=True)
class Arguments:
    """List the unlabelled images that a person should label next: those of which the models are least sure.

    An image that nearly repeats one that is listed already is left out.
    """

    models: tyro.conf.Positional[Annotated[tuple[str, ...], MayBePath, tyro.conf.arg(metavar="MODEL …")]]
    """One model or several, as in keras_satkd.evaluate; of several, the mean of their probabilities counts."""

    out: Path
    """The list, a `.csv` file with the columns rank, file, class (the models' answer), confidence and margin, both in
    [0, 1]."""

    data: DataConfig = field(default_factory=lambda: DataConfig(source=tyro.MISSING))
    """The images: a folder or zip with any subfolders. Other settings as in training."""

    count: Count = 100
    """Number of images to list."""

    by: Uncertainty = "margin"
    """`margin`: the smallest difference between the two highest probabilities; `entropy`: the highest entropy;
    `confidence`: the smallest highest probability."""

    input_range: InputRange | None = None
    """Values that a Keras or int8 model expects of pixels 0 to 255, as in keras_satkd.evaluate."""

    trust_model: bool = False
    """Also load Keras models that can run code on this machine: only if you trust their authors."""

    verbosity: VerbosityFlags = Verbosity()


def write(path: Path, found: list["Ranked"]) -> None:
    """Write the list as CSV."""
    from firmware_export.common.files import write_text

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("rank", "file", "class", "confidence", "margin"))
    for rank, each in enumerate(found, start=1):
        table.writerow((rank, each.file, each.class_name, f"{each.confidence:.4f}", f"{each.margin:.4f}"))
    write_text(path, text.getvalue())


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.select")
        show_log(arguments.verbosity.level)
        if arguments.out.suffix != ".csv":
            raise UserError(f"--out {arguments.out}: give a file that ends in .csv")
        if arguments.count < 1:
            raise UserError(f"--count {arguments.count}: give 1 or more")
        # Model builders print on stdout, where only the result belongs.
        with contextlib.redirect_stdout(sys.stderr):
            found, images = _ranked(arguments)
        write(arguments.out, found)
        print(f"{arguments.out}: {len(found)} of {images} images, least sure first")

    exit_on_user_error(work)


def _ranked(arguments: Arguments) -> tuple[list["Ranked"], int]:
    with quiet_imports():
        from keras_satkd.data import unlabelled
        from keras_satkd.data.reading import rgb_of
        from keras_satkd.evaluation import classifier as classifiers
        from keras_satkd.evaluation import ranking
    settings = validated(Config(data=arguments.data)).data
    if len(settings.sources) != 1:
        raise UserError(f"--data is {settings.name!r}: give one folder or zip")
    models = [
        classifiers.load(model, arguments.input_range, settings.image_size, trust=arguments.trust_model)
        for model in arguments.models
    ]
    ranking.check_alike(models)
    first = next((model for model in models if model.scaling), models[0])
    settings = dataclasses.replace(settings, image_size=first.image_size, bands=settings.bands or first.own_bands)
    images = unlabelled.load(settings.sources[0], settings, first.scaling)
    rgb = rgb_of(images.channel_names, settings)
    ready = [model.for_bands(images.channel_names, rgb) for model in models]
    return ranking.least_sure(ready, images, arguments.count, arguments.by), len(images)


if __name__ == "__main__":
    main()
