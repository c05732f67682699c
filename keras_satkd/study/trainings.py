"""The study's trainings, one run a row, and what they say together."""

import dataclasses
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from firmware_export.errors import UserError, unknown_name
from firmware_export.files import write_json, write_text
from keras_satkd import classifier, metrics_csv, students, teachers
from keras_satkd.config import Config, from_dict, load, to_dict
from keras_satkd.evaluate import evaluate
from keras_satkd.figures.canvas import save_png
from keras_satkd.figures.study import rows as draw_rows
from keras_satkd.knowledge import Knowledge
from keras_satkd.lowering import Lowered
from keras_satkd.prepare import Inputs, begin, prepare
from keras_satkd.road import STUDENT_FILE, ask_teachers, distil_student
from keras_satkd.run import InUse, Run
from keras_satkd.study import ROWS, STUDENT_SEEDS, Arguments
from keras_satkd.tables import markdown_table
from keras_satkd.weighting import PAPER_CASES

logger = logging.getLogger(__name__)

Training = tuple[str, str, int]
"""A row, a student and a seed."""

RESULTS_FILE = "results.json"
LOCK_FILE = "results.lock"
SCORES = {
    "accuracy": "accuracy",
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "F1",
    "ece": "ECE",
}
"""Scores in the table, and their headings there; all in per cent."""


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
        except Lowered as lowered:
            print(lowered)
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


def add_result(folder: Path, common: Config, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Renew the files in `folder` by what a row's training found, and return all results that are there now.

    Other processes may do the same meanwhile: what they add stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK_FILE):
        results = [*read_results(folder / RESULTS_FILE, common), found]
        write_results(folder, common, results)
    return results


def read_results(path: Path, common: Config) -> list[dict[str, Any]]:
    """What an earlier call found, on this machine or another.

    Rows that `ROWS` now says otherwise are left out, and so are those of teachers that have been trained anew since.

    Raises:
        UserError: the file cannot be read, or belongs to another configuration.
    """
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): mend or remove it") from None
    # Settings that are younger than the file have their defaults, as in a run's folder.
    if to_dict(from_dict(found["config"], str(path))) != comparable(common):
        raise UserError(f"{path} belongs to a study with other settings: give another --workdir")
    results = [result for result in found["results"] if result["settings"] == ROWS.get(result["row"])]
    present = _teacher_digests(common, {result["row"] for result in results})
    return [result for result in results if _taught_by(result, present)]


def _teacher_digests(common: Config, rows: Iterable[str]) -> dict[str, str]:
    """Of the rows' teachers that are trained already, by name."""
    named = {name for row in rows for name in row_config(common, row, common.student, common.seed).teachers.names}
    trained = [teachers.load(name, common.teachers.saved_model_input) for name in named if teachers.is_trained(name)]
    return teachers.digests(trained)


def _taught_by(found: dict[str, Any], present: dict[str, str]) -> bool:
    """Whether the teachers that `found`, of a run or a row, tells of are the `present` ones."""
    return "teachers" in found and all(present.get(name, of) == of for name, of in found["teachers"].items())


def comparable(common: Config) -> dict[str, Any]:
    """Settings that decide what a study finds: all but where this machine keeps its files."""
    values = to_dict(common)
    values["data"] |= {"source": Path(common.data.source).name, "data_dir": None, "cache_dir": None}
    return values


def run_folder(workdir: Path, row: str, student: str, seed: int) -> Path:
    """Where a row's run lies."""
    return workdir / f"{''.join(letter if letter.isalnum() else '-' for letter in row)}-{student}-{seed}"


def row_config(common: Config, row: str, student: str, seed: int) -> Config:
    """What all rows have in common, with what `ROWS` says of this one."""
    values = to_dict(common) | {"student": student, "seed": seed}
    for name, value in ROWS[row].items():
        *groups, setting = name.split(".")
        group = values
        for each in groups:
            group = group[each]
        group[setting] = value
    return from_dict(values, f"row {row!r} of the study")


def train_row(run: Run, row: str, gathered: dict[tuple, tuple[Inputs, Knowledge]]) -> dict[str, Any]:
    """Train a row's student and score it on the test images.

    Args:
        run: of this row.
        row: its name.
        gathered: images, teachers and what they said, by what decides them; rows share them.

    Returns:
        What `results.json` holds of it.

    Raises:
        UserError: the run is of other teachers, or ended before its last epoch (`run_lowered.py` can).
    """
    key = (run.config.teachers, run.config.distillation.weighting.rule == "none")
    if key in gathered:
        begin(run, gathered[key][0].split)
    else:
        prepared = prepare(run)
        gathered[key] = prepared, ask_teachers(run, prepared)
    inputs, knowledge = gathered[key]
    distil_student(run, inputs.split, knowledge)
    if not _taught_by(run.results["distillation"], teachers.digests(knowledge.teachers)):
        raise UserError(f"{run.workdir} was trained under teachers that have changed since: remove this folder")
    epochs = metrics_csv.of_phases(run.path(metrics_csv.FILE), ["distillation"])
    schedule = run.config.distillation
    if len(epochs) < schedule.epochs and schedule.patience is None:
        raise UserError(
            f"{run.workdir} was lowered and trained for {len(epochs)} of {schedule.epochs} epochs, so that it does not "
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
        "training_seconds": round(metrics_csv.seconds(epochs), 1),
        "split_sha256": run.results["data"]["split_sha256"],
        "hardware": metrics_csv.hardware(epochs, run.results["data"]["hardware"]),
    }


def _cases(last: dict[str, str]) -> dict[str, float]:
    """How often each of the paper's cases ran in the last epoch; empty for rules without cases."""
    return {case: float(last[f"case_{case}"]) for case in PAPER_CASES if last.get(f"case_{case}")}


def write_results(folder: Path, common: Config, results: list[dict[str, Any]]) -> None:
    """Write `results.json`, `study.md` and `study.png`, in the order of the rows."""
    order = [(student, row) for student in STUDENT_SEEDS for row in ROWS]
    results = sorted(results, key=lambda found: (order.index((found["student"], found["row"])), found["seed"]))
    write_json(folder / RESULTS_FILE, {"config": comparable(common), "results": results})
    write_text(folder / "study.md", table(results))
    save_png(folder / "study.png", (9, 5), lambda figure: draw_rows(figure, summaries(results)))


def summaries(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results of equal row and student put together.

    Returns:
        Dictionaries with `row`, `student`, `seeds`, `images`, `parameters`, `macs`, and for each of `SCORES` a pair of
        mean and sample standard deviation over the seeds, fractions in [0, 1]; the deviation of one seed is None.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["row"], result["student"]), []).append(result)
    return [
        {
            "row": row,
            "student": student,
            "seeds": len(group),
            **{name: group[0][name] for name in ("images", "parameters", "macs")},
            **{name: _mean_and_deviation([result[name] for result in group]) for name in SCORES},
        }
        for (row, student), group in groups.items()
    ]


def _mean_and_deviation(values: list[float]) -> tuple[float, float | None]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def table(results: list[dict[str, Any]]) -> str:
    """The study as Markdown: one table of clean accuracy a student, and one of accuracy under corruptions."""
    parts = []
    for student in dict.fromkeys(result["student"] for result in results):
        chosen = [result for result in results if result["student"] == student]
        parts.append(f"## {student}: {chosen[0]['parameters']:,} parameters, {chosen[0]['macs']:,} MACs")
        rows = [
            [summary["row"], str(summary["seeds"]), *(_per_cent(*summary[name]) for name in SCORES)]
            for summary in summaries(chosen)
        ]
        parts.append(markdown_table(["test %", "seeds", *SCORES.values()], rows))
        parts.append(_corruption_table(chosen))
    return "\n\n".join(parts) + "\n"


def _per_cent(mean: float, deviation: float | None) -> str:
    return f"{100 * mean:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def _corruption_table(results: list[dict[str, Any]]) -> str:
    """Mean accuracy over the seeds at severities 1 / 3 / 5."""
    kinds = list(results[0]["corruptions"])
    rows = []
    for row in dict.fromkeys(result["row"] for result in results):
        accuracies = {
            kind: 100 * np.mean([result["corruptions"][kind] for result in results if result["row"] == row], axis=0)
            for kind in kinds
        }
        rows.append([row, *(" / ".join(f"{accuracies[kind][at]:.1f}" for at in (0, 2, 4)) for kind in kinds)])
    headings = ["accuracy %, severity 1 / 3 / 5", *(kind.replace("_", " ") for kind in kinds)]
    return markdown_table(headings, rows)
