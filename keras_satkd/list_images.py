"""`python -m keras_satkd.list_images`: the names of a data set's images, for a teacher that another program runs.

    python -m keras_satkd.list_images --data EuroSAT_RGB.zip --out images.npz

A file of logits (`models.stored_logits`) has one row for each of these names.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import tyro

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import UserError, exit_on_user_error
from keras_satkd.cli import quiet_imports
from keras_satkd.config import Config
from keras_satkd.config_io import validated
from keras_satkd.settings.data_config import DataConfig

if TYPE_CHECKING:
    from firmware_export.images.image_set import ImageSet
    from keras_satkd.data.splits import Split


@dataclass(frozen=True)
class Arguments:
    """Write the names of all images of a data set, with their classes and parts.

    Logits that another program computes for these names can teach: give the file to --teachers.names.
    """

    out: Path
    """The file: `.csv` with the columns name, class, and part (train, validation, test; empty for images that are left
    out of all three), or `.npz` with the arrays names, labels, class_names, parts, the names of the bands, and the
    pixels in images (uint8 [N, height, width, bands]), as the student sees them."""

    data: DataConfig = field(default_factory=lambda: DataConfig(source=tyro.MISSING))
    """As in training: the parts depend on the seed and the fractions, the pixels on the image size."""

    verbosity: VerbosityFlags = Verbosity()


def rows(images: "ImageSet", divided: "Split") -> list[tuple[str, str, str]]:
    """Name, class, and part of each image, in the order of the data set; the part is empty for images in none."""
    parts = {name: part for part, names in divided.file_list().items() for name in names}
    return [
        (name, images.class_names[label], parts.get(name, ""))
        for name, label in zip(images.files, images.labels, strict=True)
    ]


def write(path: Path, images: "ImageSet", divided: "Split") -> None:
    """Write the list as `.csv` or `.npz`, by the suffix of `path`."""
    import numpy as np

    from firmware_export.common.files import write_text, write_with

    listed = rows(images, divided)
    if path.suffix == ".csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([("name", "class", "part"), *listed])
        write_text(path, text.getvalue())
        return
    arrays: dict[str, Any] = {
        "names": np.array(images.files),
        "labels": images.labels,
        "class_names": np.array(images.class_names),
        "parts": np.array([part for *_, part in listed]),
        "bands": np.array(images.channel_names),
        "images": images.images,
    }
    write_with(path, lambda temporary: np.savez(temporary, **arrays))


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.list_images")
        show_log(arguments.verbosity.level)
        if arguments.out.suffix not in (".csv", ".npz"):
            raise UserError(f"--out {arguments.out}: give a file that ends in .csv or .npz")
        settings = validated(Config(data=arguments.data)).data
        with quiet_imports():
            from keras_satkd.data import scaling
            from keras_satkd.data.sources import load
        images = load(settings)
        divided, scaled = scaling.split_scaled(images, settings)
        write(arguments.out, scaling.scaled(images, scaled), divided)
        print(f"{arguments.out}: {len(images)} names, {divided.summary()}")

    exit_on_user_error(work)


if __name__ == "__main__":
    main()
