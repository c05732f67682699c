"""`python docs/pictures/draw.py`: draw the overview, from the shipped models' JSON, and the path of an image."""

import json
import math
from pathlib import Path
from typing import Any

from svg import BLUE, GREEN, GREY, INK, ORANGE, PAPER, SKY, Picture

from keras_satkd.data.synthetic import scene
from keras_satkd.models.pretrained import EUROSAT_TEACHERS, FOLDER

HERE = Path(__file__).parent
TITLES = ("EfficientNet-Lite0", "EfficientViT-M2", "MobileViTV2-1.0")
SCENES = ("River", "AnnualCrop", "Residential", "Highway")
_UNITS_A_ROOT_BYTE = 100 / math.sqrt(9_430_112)


def overview() -> Picture:
    """Images, teachers, student, microcontroller; areas are proportional to the sizes of the shipped files."""
    teachers = [_description(FOLDER / name / "teacher.json") for name in EUROSAT_TEACHERS]
    student, int8 = (_description(FOLDER / f"resnet8_eurosat{kind}.json") for kind in ("", "_int8"))
    picture = Picture(
        960,
        450,
        f"Teachers of up to {max(each['bytes'] for each in teachers) / 1e6:.1f} MB teach a ResNet8, which becomes an "
        f"int8 model of {int8['bytes']:,} bytes on a microcontroller",
    )
    _headings(picture)
    for number, name in enumerate(SCENES):
        picture.image(30, 76 + 78 * number, 68, scene(name, 1, 0, 64))
        picture.text(106, 115 + 78 * number, name, size=13)
    top = 76
    for teacher, title in zip(teachers, TITLES, strict=True):
        side = _side(teacher)
        picture.box(250, top, side, side, fill=SKY)
        middle = top + side / 2
        picture.text(362, middle - 14, title, bold=True)
        picture.text(362, middle + 5, f"{teacher['bytes'] / 1e6:.1f} MB", _accuracy(teacher), size=13)
        picture.arrow((505, middle), (548, 226 + (middle - 226) / 6))
        top += side + 11
    picture.arrow((196, 226), (240, 226))
    picture.box(566 - 8, 226 - _side(student) / 2, _side(student), _side(student), fill=GREEN)
    picture.text(592, 218, "ResNet8", bold=True)
    picture.text(592, 237, f"{student['bytes'] / 1e6:.1f} MB", _accuracy(student), size=13)
    picture.arrow((704, 226), (748, 226))
    _chip(picture, int8)
    picture.text(
        30,
        428,
        "Areas are proportional to file sizes. Accuracy: EuroSAT test set, 4,860 images. Scenes are synthetic.",
        size=13,
        color=GREY,
    )
    return picture


def _headings(picture: Picture) -> None:
    for x, heading, below in (
        (30, "images", "64 × 64 pixels"),
        (250, "teachers", "each weighted by its confidence"),
        (558, "student", "from labels and teachers"),
        (758, "microcontroller", "C, no floating point"),
    ):
        picture.text(x, 34, heading, size=17, bold=True)
        picture.text(x, 54, below, size=12, color=GREY)


def _chip(picture: Picture, int8: dict[str, Any]) -> None:
    for pin in range(6):
        for x in (756, 900):
            picture.box(x, 172 + 20 * pin, 12, 8, fill=GREY, outline=GREY)
    picture.box(768, 160, 132, 132, fill=PAPER, outline=INK, radius=6)
    side = _side(int8)
    picture.box(834 - side / 2, 176, side, side, fill=ORANGE)
    picture.text(834, 211, "ResNet8, int8", bold=True, at="middle")
    picture.text(834, 231, f"{int8['bytes']:,} bytes", "of flash", _accuracy(int8), size=13, at="middle")
    picture.text(758, 318, "TensorFlow Lite Micro, or", "our row engine with an", "eighth of the RAM", size=13)


def _side(model: dict[str, Any]) -> float:
    return _UNITS_A_ROOT_BYTE * math.sqrt(model["bytes"])


def _accuracy(model: dict[str, Any]) -> str:
    return f"{100 * model['test']['accuracy']:.2f} %"


def _description(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def path_of_an_image() -> Picture:
    """The steps between an image file and the microcontroller, with the module of each."""
    picture = Picture(960, 470, "The modules that an image passes through, from file to microcontroller")
    boxes = {
        "files": (30, 30, "folders, tfds", "folder, zip, TFDS", SKY),
        "decoded": (30, 120, "decode, cache", "uint8 [N, 64, 64, 3]", SKY),
        "split": (30, 210, "splits", "training, validation, and test set", SKY),
        "views": (30, 300, "augment, teacher_logits", "repeatable views; stored logits", SKY),
        "teachers": (345, 255, "teachers", "resize, normalize → logits", BLUE),
        "rule": (345, 165, "weighting", "logits → one weight per teacher", BLUE),
        "student": (345, 345, "students", "x / 255 → logits", GREEN),
        "loss": (660, 165, "blend, distiller", "(1−s)·CE + s·Σ w·τ²·KL", GREEN),
        "int8": (660, 255, "qat_ranges, convert", "QAT with the same loss → int8", ORANGE),
        "export": (660, 345, "firmware_export", "verified C, reports", ORANGE),
    }
    for x, y, title, what, color in boxes.values():
        picture.box(x, y, 270, 62, fill=PAPER, outline=color, radius=6)
        picture.box(x, y, 8, 62, fill=color, outline=color)
        picture.text(x + 20, y + 26, title, bold=True)
        picture.text(x + 20, y + 47, what, size=13)
    for upper in ("files", "decoded", "split"):
        x, y, *_ = boxes[upper]
        picture.arrow((x + 135, y + 62), (x + 135, y + 87))
    picture.arrow((300, 322), (322, 322), (322, 286), (342, 286))
    picture.arrow((300, 340), (322, 340), (322, 376), (342, 376))
    picture.arrow((480, 255), (480, 230))
    picture.arrow((615, 196), (657, 196))
    picture.arrow((615, 376), (637, 376), (637, 212), (657, 212))
    picture.arrow((795, 227), (795, 252))
    picture.arrow((795, 317), (795, 342))
    picture.text(345, 60, "keras_satkd trains; firmware_export", "exports and never imports keras_satkd.", size=13)
    picture.text(
        30,
        432,
        "On the microcontroller, the image arrives as uint8 rows. The int8 code is pixel ^ 0x80, because the student's",
        "only normalization is x / 255.",
        size=13,
        color=GREY,
    )
    return picture


PICTURES = {"overview.svg": overview, "image.svg": path_of_an_image}
"""Files in this folder, and what draws them."""

if __name__ == "__main__":
    for file, drawn in PICTURES.items():
        (HERE / file).write_text(drawn().render())
