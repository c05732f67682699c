"""The study's trainings, one run a row, and what they say together."""

import dataclasses
import logging
from typing import Any

from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.config import load
from keras_satkd.evaluation import classifier
from keras_satkd.evaluation.scoring import evaluate
from keras_satkd.models import students, teachers
from keras_satkd.pipeline.distil import ask_teachers, distil_student
from keras_satkd.pipeline.inputs import Inputs, begin, prepare
from keras_satkd.run import history
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import InUse, Run
from keras_satkd.study.__main__ import Arguments
from keras_satkd.study.results import (
    RESULTS_FILE,
    add_result,
    read_results,
    taught_by,
)
from keras_satkd.study.rows import ROWS, STUDENT_SEEDS, row_config, run_folder
from keras_satkd.training.offload import TrainingExported
from keras_satkd.training.teacher_logits import Knowledge
from keras_satkd.training.xla_program import check_jax
from keras_satkd.weighting import PAPER_CASES

logger = logging.getLogger(__name__)

Training = tuple[str, str, int]
"""A row, a student and a seed."""


def study(arguments: Arguments) -> None:
    """Train and score what is missing; results, table and figure are renewed after every row.

    Raises:
        UserError: a row, a student or the configuration does not exist, or a folder belongs to another study.
    """
    for name in arguments.rows:
        if name not in ROWS:
            raise unknown_name("row", name, ROWS)
    for student in arguments.students:
        students.check_name(student)
    if arguments.seeds < 1:
        raise UserError(f"--seeds is {arguments.seeds}: every row needs a seed, so give 1 or more")
    if arguments.lower:
        check_jax()
    common = load(arguments.config)
    if arguments.data is not None:
        common = dataclasses.replace(common, data=dataclasses.replace(common.data, source=arguments.data))
    folder = arguments.results or arguments.workdir
    results: list[dict[str, Any]] = []
    gathered: dict[tuple, tuple[Inputs, Knowledge]] = {}
    for training in _trainings(arguments):
        if not _holds(results, training):
            results = read_results(folder / RESULTS_FILE, common)
        if _holds(results, training):
            continue
        row, student, seed = training
        logger.info("%s, %s, seed %d", row, student, seed)
        run = Run(run_folder(arguments.workdir, *training), row_config(common, *training))
        run.lowers = arguments.lower
        try:
            found = train_row(run, row, gathered)
        except InUse:
            logger.info("another process trains it")
            continue
        except TrainingExported as exported:
            print(exported)
            continue
        results = add_result(folder, common, found)


def _trainings(arguments: Arguments) -> list[Training]:
    return [
        (row, student, seed)
        for student in arguments.students
        for seed in range(min(arguments.seeds, STUDENT_SEEDS[student]))
        for row in arguments.rows
    ]


def _holds(results: list[dict[str, Any]], training: Training) -> bool:
    return any((found["row"], found["student"], found["seed"]) == training for found in results)


def train_row(run: Run, row: str, gathered: dict[tuple, tuple[Inputs, Knowledge]]) -> dict[str, Any]:
    """Train a row's student and score it on the test images.

    Args:
        run: of this row.
        row: its name.
        gathered: images, teachers and what they said, by what decides them; rows share them.

    Returns:
        What `results.json` holds of it.

    Raises:
        UserError: the run is of other teachers, or ended before its last epoch (`run_offloaded.py` can).
    """
    key = (run.config.teachers, run.config.distillation.weighting.rule == "none")
    if key in gathered:
        begin(run, gathered[key][0].split)
    else:
        prepared = prepare(run)
        gathered[key] = prepared, ask_teachers(run, prepared)
    inputs, knowledge = gathered[key]
    distil_student(run, inputs.split, knowledge)
    if not taught_by(run.results["distillation"], teachers.digests(knowledge.teachers)):
        raise UserError(f"{run.workdir} was trained under teachers that have changed since: remove this folder")
    epochs = history.of_phases(run.path(history.FILE), ["distillation"])
    schedule = run.config.distillation
    if len(epochs) < schedule.epochs and schedule.patience is None:
        raise UserError(
            f"{run.workdir} was trained elsewhere, for {len(epochs)} of {schedule.epochs} epochs, so that it does not "
            "compare with other rows: remove this folder and train it to the end"
        )
    test = inputs.split.test
    student = classifier.load(str(run.path(STUDENT_FILE)))
    scores = run.step("study", lambda: evaluate(student, test.images, test.labels, corruptions=True))
    return {
        "row": row,
        "student": run.config.student,
        "seed": run.config.seed,
        "settings": ROWS[row],
        **{name: value for name, value in scores.items() if name != "seconds"},
        "cases": _cases(epochs[-1]),
        **{name: run.results["distillation"][name] for name in ("teachers", "parameters", "macs")},
        "training_seconds": round(history.seconds(epochs), 1),
        "split_sha256": run.results["data"]["split_sha256"],
        "hardware": history.hardware(epochs, run.results["data"]["hardware"]),
    }


def _cases(last: dict[str, str]) -> dict[str, float]:
    """How often each of the paper's cases ran in the last epoch; empty for rules without cases."""
    return {case: float(last[f"case_{case}"]) for case in PAPER_CASES if last.get(f"case_{case}")}
