"""`metrics.json` of a run: the results of its finished steps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text
from keras_satkd.run.results import TEACHER, TeacherResult
from keras_satkd.run.stages import Found, Stage, Step, step_of

FILE = digests.RESULTS_FILE


class Results:
    """The results of a run's finished steps.

    Args:
        values: as in `metrics.json`. Unknown keys are kept unchanged.
    """

    def __init__(self, values: dict[str, dict[str, Any]] | None = None) -> None:
        self._values = dict(values or {})

    @classmethod
    def read(cls, path: Path) -> "Results":
        """The results in a file; empty if the file does not exist.

        Raises:
            UserError: the file cannot be read.
        """
        return cls(read_json(path))

    def write(self, path: Path) -> None:
        """Write them to a file."""
        digests.write_json(path, self._values)

    def __contains__(self, step: Step[Any]) -> bool:
        return step.name in self._values

    def __getitem__(self, step: Step[Found]) -> Found:
        return step.result.from_json(self._values[step.name])

    def __setitem__(self, step: Step[Found], found: Found) -> None:
        self._values[step.name] = found.to_json()

    def __bool__(self) -> bool:
        return bool(self._values)

    def steps(self) -> Iterator[Step[Any]]:
        """The finished steps in the order in which they were done."""
        return filter(None, map(step_of, self._values))

    def teachers(self) -> dict[str, TeacherResult]:
        """The results of the fine-tuned teachers, by their names in `teachers.names`."""
        done = [step for step in self.steps() if step.stage is Stage.TEACHERS]
        return {step.name.removeprefix(TEACHER): self[step] for step in done}

    def seconds(self) -> dict[str, float]:
        """The time of each step, by name."""
        return {name: values["seconds"] for name, values in self._values.items()}

    def before(self, stage: Stage) -> "Results":
        """The results of the steps before a stage."""
        kept = {step.name for step in self.steps() if step.stage < stage}
        return Results({name: values for name, values in self._values.items() if name in kept})


def read_json(path: Path) -> dict[str, Any] | None:
    """The values in a JSON file of a run's folder; None if it does not exist.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        digests.check(path)
        values = json.loads(read_text(path))
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
        return values
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error}): repair it, or give another --workdir") from None
