"""`python docs/camera/trials.py EuroSAT_RGB.zip --initial-weights student.keras`: compare ways to train under a camera.

Each trial continues the training of a ResNet8 that has seen only clean images (the `student.keras` of
`python -m keras_satkd.distill --config eurosat_long`) for `EPOCHS` epochs with the preset `eurosat_camera`, changed in
the settings that `TRIALS` names. Its float student is scored on the validation images under the suite. The results are
written to `trials.json` beside this file, and their table to `docs/camera.md`. A trial that has a result is not
repeated; an interrupted one resumes.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from firmware_export.common.files import read_text, write_json, write_text
from firmware_export.common.tables import markdown_table
from keras_satkd.camera.suite import KINDS
from keras_satkd.config import Config
from keras_satkd.config_io import changed, load
from keras_satkd.data.sources import load as load_images
from keras_satkd.data.splits import split
from keras_satkd.evaluation import camera, classifier
from keras_satkd.pipeline.steps import distilled_student
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import Run

HERE = Path(__file__).parent
PAGE = HERE.parent / "camera.md"
RESULTS = HERE / "trials.json"
BEGIN, END = "<!-- trials -->\n", "<!-- end of trials -->\n"
EPOCHS = 4
TEACHERS = ["efficientnet_lite0_camera", "efficientvit_m2_eurosat", "mobilevitv2_100_eurosat"]
ALONE = {"teachers.names": TEACHERS[:1]}
TRIALS: dict[str, dict[str, Any]] = {
    "the preset: 25 % of the images disturbed": {},
    "10 % disturbed": {"camera.share": 0.1},
    "50 % disturbed": {"camera.share": 0.5},
    "no teacher": {"distillation.weighting.rule": "none"},
    "EfficientNet-Lite0 alone": ALONE,
    "EfficientNet-Lite0 alone, which sees the camera's image": ALONE | {"camera.teachers_see": "disturbed"},
    "EfficientNet-Lite0 alone, MixUp of stored views": ALONE
    | {"distillation.mixing.method": "mixup", "distillation.teacher_logits": "precomputed"},
}
"""What each trial changes in the preset."""


def results() -> dict[str, Any]:
    """The result of each finished trial, by its name."""
    return json.loads(read_text(RESULTS)) if RESULTS.exists() else {}


def page(text: str, found: dict[str, Any]) -> str:
    """The text of `docs/camera.md` with the table of trials between its markers."""
    kinds = {"SNR 20": ("snr", 20), "PSF 0.8": ("psf", 0.8), "JPEG 60": ("jpeg", 60)}
    rows = []
    for name in (name for name in TRIALS if name in found):
        suite = found[name]["camera"]
        at = [suite["kinds"][kind]["accuracy"][KINDS[kind].severities.index(value)] for kind, value in kinds.values()]
        means = [suite["clean"], *at, suite["mean_trained"], suite["mean_held_out"]]
        rows.append([name, *(f"{100 * share:.1f}" for share in means)])
    headings = ["validation accuracy of the float ResNet8, %", "clean", *kinds, "in training", "never in training"]
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{markdown_table(headings, rows)}\n\n{END}{rest.partition(END)[2]}"


def trial(common: Config, name: str, workdir: Path) -> dict[str, Any]:
    """Train a trial's student and score it; returns its entry in `trials.json`."""
    config = changed(common, TRIALS[name], f"trial {name!r}")
    run = Run(workdir / f"trial{list(TRIALS).index(name)}", config)
    distilled_student(run)
    student = classifier.load(str(run.path(STUDENT_FILE)))
    validation = split(load_images(config.data), config.data).validation
    return {"settings": TRIALS[name], "camera": camera.suite(student.logits, validation.images, validation.labels)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare ways to train under a camera, and renew docs/camera.md.")
    parser.add_argument("data", help="the EuroSAT archive")
    parser.add_argument("--initial-weights", required=True, help="a ResNet8 that was trained on clean images")
    parser.add_argument("--workdir", type=Path, default=Path("runs/camera-trials"), help="folder with a run per trial")
    arguments = parser.parse_args()
    common = {
        "data.source": arguments.data,
        "distillation.initial_weights": arguments.initial_weights,
        "distillation.epochs": EPOCHS,
        "teachers.names": TEACHERS,
    }
    for name in TRIALS:
        if name not in results():
            found = trial(changed(load("eurosat_camera"), common, "command line"), name, arguments.workdir)
            write_json(RESULTS, results() | {name: found})
            write_text(PAGE, page(read_text(PAGE), results()))


if __name__ == "__main__":
    main()
