"""`results.json` of a study, and its tables and figure."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text, write_text
from firmware_export.common.tables import markdown_table
from keras_satkd.config import Config
from keras_satkd.config_io import from_dict, own_extensions, to_dict
from keras_satkd.models import teachers
from keras_satkd.report.figures.canvas import save_png
from keras_satkd.report.figures.study import rows as draw_rows
from keras_satkd.run.locks import lock
from keras_satkd.study import significance
from keras_satkd.study.rows import STUDENT_SEEDS, Plan

RESULTS_FILE = "results.json"


LOCK_FILE = "results.lock"


SCORES = {
    "accuracy": "accuracy",
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "F1",
    "ece": "ECE",
}
"""Scores in the table and their column headings; all in percent."""


def add_result(folder: Path, plan: Plan, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Add the result of a row's training to the files in `folder`, and return all results in them.

    Other processes can do the same at the same time: their results are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder / LOCK_FILE, waits=True):
        results = [*read_results(folder / RESULTS_FILE, plan), found]
        write_results(folder, plan, results)
    return results


def current_results(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """`read_results` of a folder's file, while no other process writes it."""
    if not folder.is_dir():
        return []
    with lock(folder / LOCK_FILE, waits=True):
        return read_results(folder / RESULTS_FILE, plan)


def read_results(path: Path, plan: Plan) -> list[dict[str, Any]]:
    """The results of earlier calls, on any machine.

    Rows whose settings in the plan, whose teachers, or whose extensions (`registry`) have changed since are left out.
    Rows that the plan does not have are kept.

    Raises:
        UserError: the file cannot be read, is damaged, or belongs to another configuration.
    """
    digests.check(path, "restore a copy, or remove it and repeat the study, which trains only rows without a run")
    try:
        found = json.loads(read_text(path))
        if not isinstance(found["results"], list):
            raise ValueError("no list of results")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error}): repair or remove it") from None
    # Settings that did not exist when the file was written get their defaults, as in a run's folder.
    if to_dict(from_dict(found["config"], str(path))) != comparable(plan.common):
        raise UserError(f"{path} belongs to a study with other settings: give another --workdir")
    plan = _with_rows_of(found["results"], plan)
    results = [result for result in found["results"] if _has_settings_of(plan, result)]
    present = _teacher_digests(plan, {result["row"] for result in results if result.get("teachers")})
    return [result for result in results if taught_by(result.get("teachers"), present)]


def _with_rows_of(results: Iterable[dict[str, Any]], plan: Plan) -> Plan:
    """The plan, followed by rows that only `results` have."""
    others = {each["row"]: each["settings"] for each in results if each["row"] not in plan.rows}
    return Plan(plan.common, {**plan.rows, **others})


def _has_settings_of(plan: Plan, result: dict[str, Any]) -> bool:
    if result["settings"] != plan.rows[result["row"]]:
        return False
    config = plan.config(result["row"], result["student"], result["seed"])
    return bool(result.get("extensions", {}) == own_extensions(config))


def _teacher_digests(plan: Plan, rows: Iterable[str]) -> dict[str, str]:
    """Digests of the rows' teachers that are already trained, by name."""
    common = plan.common
    named = {name for row in rows for name in plan.config(row, common.student, common.seed).teachers.names}
    kind, trust = common.teachers.saved_model_input, common.teachers.trust_models
    trained = [teachers.load(name, kind, trust=trust) for name in named if teachers.is_trained(name)]
    return teachers.digests(trained)


def taught_by(found: dict[str, str] | None, present: dict[str, str]) -> bool:
    """Whether a run or row used the `present` teachers. Both are digests by name; `found` is None if not recorded."""
    return found is not None and all(present.get(name, digest) == digest for name, digest in found.items())


def comparable(common: Config) -> dict[str, Any]:
    """Settings that affect the results of a study: all but the locations of files on this machine."""
    values = to_dict(common)
    sources = " + ".join(Path(source).name for source in common.data.sources)
    values["data"] |= {"source": sources, "data_dir": None, "cache_dir": None}
    defaults = to_dict(Config())
    return values | {name: defaults[name] for name in ("strategy", "worker_timeout")}


def write_results(folder: Path, plan: Plan, results: list[dict[str, Any]]) -> None:
    """Write `study.md`, `study.png` and `results.json`, in the order of the rows.

    `results.json` is last: a study that is killed before it adds the row again, and so renews all three.
    """
    # Students that the study does not train by itself come last.
    students = dict.fromkeys([*STUDENT_SEEDS, *sorted(found["student"] for found in results)])
    rows = _with_rows_of(results, plan).rows
    order = [(student, row) for student in students for row in rows]
    results = sorted(results, key=lambda found: (order.index((found["student"], found["row"])), found["seed"]))
    write_text(folder / "study.md", table(results, plan.against))
    save_png(folder / "study.png", (9, 5), lambda figure: draw_rows(figure, summaries(results)))
    digests.write_json(folder / RESULTS_FILE, {"config": comparable(plan.common), "results": results})


def summaries(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results grouped by row and student.

    Returns:
        Dictionaries with `row`, `student`, `seeds`, `images`, `parameters`, `macs`, and for each of `SCORES` a pair of
        mean and sample standard deviation over the seeds, fractions in [0, 1]; with one seed, the deviation is None.
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


def table(results: list[dict[str, Any]], against: Mapping[str, str]) -> str:
    """The study as Markdown: for each student, a table of clean scores and one of accuracy under corruptions."""
    parts = []
    for student in dict.fromkeys(result["student"] for result in results):
        chosen = [result for result in results if result["student"] == student]
        parts.append(f"## {student}: {chosen[0]['parameters']:,} parameters, {chosen[0]['macs']:,} MACs")
        rows = [
            [summary["row"], str(summary["seeds"]), *(_per_cent(*summary[name]) for name in SCORES)]
            for summary in summaries(chosen)
        ]
        parts.append(markdown_table(["test %", "seeds", *SCORES.values()], rows))
        parts += significance.tables(chosen, against)
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
