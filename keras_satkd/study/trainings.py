"""The trainings of the study: one run per row, student and seed, each scored on the test images."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.config import Config, WeightingConfig
from keras_satkd.config_io import own_extensions, to_dict
from keras_satkd.evaluation import classifier
from keras_satkd.evaluation.scoring import evaluate
from keras_satkd.models import students, teachers
from keras_satkd.pipeline.distil import distil_student, taught
from keras_satkd.pipeline.inputs import Inputs, begin, prepare
from keras_satkd.run import history
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.locks import InUse
from keras_satkd.run.results import StudyResult
from keras_satkd.run.stages import DATA, DISTILLATION, STUDY
from keras_satkd.study import significance
from keras_satkd.study.claims import claimed
from keras_satkd.study.results import (
    add_result,
    current_results,
    taught_by,
)
from keras_satkd.study.rows import STUDENT_SEEDS, Plan, run_folder
from keras_satkd.training.offload import TrainingExported
from keras_satkd.training.teacher_logits import TeacherTargets
from keras_satkd.training.xla_program import check_jax
from keras_satkd.weighting import PAPER_CASES, rule_type

logger = logging.getLogger(__name__)

Training = tuple[str, str, int]
"""A row, a student and a seed."""

Shared = dict[str, tuple[Inputs, TeacherTargets]]
"""Images and teacher logits, by `_of_inputs`."""


def study(
    plan: Plan,
    workdir: Path,
    folder: Path,
    *,
    rows: Sequence[str] = (),
    chosen_students: Sequence[str] = tuple(STUDENT_SEEDS),
    seeds: int = max(STUDENT_SEEDS.values()),
    lowers: bool = False,
) -> None:
    """Train and score what is missing. Results, table and figure are updated after every row.

    Any number of processes can do this at once: each takes trainings that no other has claimed. At last, those are
    taken whose process has died since. Trainings that others still work on are told.

    Args:
        plan: the rows, and what they have in common.
        workdir: folder with one run per row, student and seed.
        folder: contains `results.json`, `study.md` and `study.png`.
        rows: names of rows of the plan; empty: all.
        chosen_students: names of students.
        seeds: largest number of seeds per row and student.
        lowers: train nothing; write each missing training as a program.

    Raises:
        UserError: a row, a student or the configuration does not exist, a row's settings are wrong, or a folder belongs
            to another study.
    """
    plan.check()
    for name in rows:
        if name not in plan.rows:
            raise unknown_name("row", name, plan.rows)
    for student in chosen_students:
        students.find(student)
    if seeds < 1:
        raise UserError(f"--seeds is {seeds}: give 1 or more")
    if lowers:
        check_jax()
    results: list[dict[str, Any]] = []
    shared: Shared = {}
    missing = _trainings(rows or tuple(plan.rows), chosen_students, seeds)
    while True:
        of_others: dict[Training, str] = {}
        for training in missing:
            if _holds(results, training):
                continue
            with claimed(workdir, run_folder(workdir, *training).name) as owner:
                # Read after the claim: its last owner may just have added the result.
                results = current_results(folder, plan)
                if _holds(results, training):
                    continue
                owner = owner or _train(plan, workdir, folder, training, shared, lowers=lowers)
            if owner is not None:
                of_others[training] = owner
        if len(of_others) in (0, len(missing)):
            break
        missing = list(of_others)
    for (row, student, seed), owner in of_others.items():
        logger.warning(
            "%s, %s, seed %d: left to %s; if that ends without a result, repeat this command",
            *(row, student, seed, owner),
        )


def _train(plan: Plan, workdir: Path, folder: Path, training: Training, shared: Shared, *, lowers: bool) -> str | None:
    """Train a row and add its result, or write it as a program; returns who else uses its folder, if anybody does."""
    row, student, seed = training
    logger.info("%s, %s, seed %d", row, student, seed)
    run = Run(run_folder(workdir, *training), plan.config(*training))
    run.lowers = lowers
    try:
        add_result(folder, plan, {"settings": dict(plan.rows[row])} | train_row(run, training, shared))
    except InUse:
        return "a process that is no study"
    except TrainingExported as exported:
        print(exported)
    return None


def _trainings(rows: Sequence[str], chosen_students: Sequence[str], seeds: int) -> list[Training]:
    return [
        (row, student, seed)
        for student in chosen_students
        for seed in range(min(seeds, STUDENT_SEEDS.get(student, 1)))
        for row in rows
    ]


def _holds(results: list[dict[str, Any]], training: Training) -> bool:
    return any((found["row"], found["student"], found["seed"]) == training for found in results)


def train_row(run: Run, training: Training, shared: Shared) -> dict[str, Any]:
    """Train a row's student and score it on the test images.

    Args:
        run: the run of this row.
        training: row, student and seed of this run.
        shared: images, teachers and their logits, which rows share that differ in the weighting only; missing ones are
            added.

    Returns:
        The row's entry in `results.json`, but its settings.

    Raises:
        UserError: the run used other teachers, or stopped before its last epoch (possible with `run_offloaded.py`).
    """
    key = _of_inputs(run.config)
    if key in shared:
        known = shared[key][0]
        begin(run, known.split, scaled=known.scaling, others=known.unlabelled)
    else:
        prepared = prepare(run)
        shared[key] = taught(run, prepared)
    inputs, targets = shared[key]
    distil_student(run, inputs.split, targets)
    if not taught_by(run.results[DISTILLATION].teachers, teachers.digests(targets.teachers)):
        raise UserError(f"{run.workdir} was trained under teachers that have changed since: remove this folder")
    epochs = history.of_phases(run.path(history.FILE), ["distillation"])
    schedule = run.config.distillation
    if len(epochs) < schedule.epochs and schedule.patience is None:
        raise UserError(
            f"{run.workdir} was trained elsewhere, for {len(epochs)} of {schedule.epochs} epochs, and cannot be "
            "compared with other rows: remove this folder and train all epochs"
        )
    test = inputs.split.test
    student = classifier.load(str(run.path(STUDENT_FILE)))
    found = run.step(
        STUDY,
        lambda: StudyResult(
            evaluate(student, test.images, test.labels, corruptions=True)
            | {"correct": significance.packed(student.logits(test.images).argmax(axis=1) == test.labels)}
        ),
    )
    distilled = run.results[DISTILLATION]
    return {
        # A student of the user's own is named as it was given: `extensions` has its digest.
        **dict(zip(("row", "student", "seed"), training, strict=True)),
        "extensions": own_extensions(run.config),
        **found.evaluation,
        "cases": _cases(epochs[-1]),
        "teachers": distilled.teachers,
        "parameters": distilled.parameters,
        "macs": distilled.macs,
        "training_seconds": round(history.seconds(epochs), 1),
        "split_sha256": run.results[DATA].split_sha256,
        "hardware": history.hardware(epochs, run.results[DATA].hardware),
    }


def _of_inputs(config: Config) -> str:
    """The settings of which images, teachers and logits are made and checked: all but those named here."""
    distillation = dataclasses.replace(config.distillation, weighting=WeightingConfig(), sensor_noise=0.0)
    uses_teachers = rule_type(config.distillation.weighting.rule).uses_teachers
    config = dataclasses.replace(config, student="", seed=0, distillation=distillation)
    return json.dumps([uses_teachers, to_dict(config)])


def _cases(last: dict[str, str]) -> dict[str, float]:
    """How often each case of the paper's rule applied in the last epoch; empty for rules without cases."""
    return {case: float(last[f"case_{case}"]) for case in PAPER_CASES if last.get(f"case_{case}")}
