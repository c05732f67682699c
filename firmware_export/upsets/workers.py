"""Runs programs that work off a plan, several at a time, with a journal from which an interrupted campaign resumes."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from firmware_export.common import child
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_text
from firmware_export.upsets.outcomes import ORDER, Found

Command = Callable[[Path, Path], Sequence[str]]
"""From the files of plan and journal to the program's words."""

_SUFFIX = ".journal"
_SECONDS = 0.2


def read_journals(folder: Path) -> dict[int, Found]:
    """What is known of injections, by number: lines `NUMBER OUTCOME FOUND`; an unfinished last line is left out."""
    found = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        for line in path.read_text().splitlines(keepends=True):
            words = line.split()
            if line.endswith("\n") and len(words) == 3:
                found[int(words[0])] = Found(ORDER[int(words[1])], words[2] == "1")
    return found


def run(plan: Mapping[int, str], folder: Path, command: Command, jobs: int, title: str) -> dict[int, Found]:
    """Work off what the journals of `folder` lack.

    Args:
        plan: a line for each injection, by number.
        folder: holds the journals; created if missing.
        command: starts a program that reads a plan (`NUMBER LINE`) and appends to a journal.
        jobs: the number of programs at a time.
        title: of the progress bar.

    Returns:
        What came of every injection of the plan.

    Raises:
        UserError: a program fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _cut_unfinished_lines(folder)
    known = read_journals(folder)
    left = [number for number in plan if number not in known]
    started: list[subprocess.Popen[bytes]] = []
    with tqdm(total=len(plan), initial=len(plan) - len(left), desc=title, unit="flip", disable=None) as bar:
        try:
            for job in range(min(jobs, len(left))):
                lines = "".join(f"{number} {plan[number]}\n" for number in left[job::jobs])
                write_text(folder / f"{job}.plan", lines)
                words = command(folder / f"{job}.plan", folder / f"{job}{_SUFFIX}")
                with _log(folder, job).open("wb") as log:
                    started.append(
                        subprocess.Popen(
                            words,
                            stdin=subprocess.DEVNULL,
                            stderr=log,
                            env=child.environment(),
                            start_new_session=True,
                        )
                    )
            while any(process.poll() is None for process in started):
                time.sleep(_SECONDS)
                bar.update(_done(folder) - bar.n)
        finally:
            for process in started:
                if process.poll() is None:  # its own children too
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait()
        bar.update(_done(folder) - bar.n)
    for job, process in enumerate(started):
        if process.returncode:
            written = _log(folder, job).read_text(errors="replace").strip().splitlines()
            reason = written[-1].removeprefix("error: ") if written else f"exit code {process.returncode}"
            raise UserError(
                f"{title}: the program that flips bits failed ({reason}): free space, or export the model again"
            )
    found = read_journals(folder)
    missing = [number for number in plan if number not in found]
    if missing:
        raise UserError(f"{title}: {len(missing)} injections have no result: run the same command again")
    return {number: found[number] for number in plan}


def _cut_unfinished_lines(folder: Path) -> None:
    """Programs append to journals, so that an unfinished last line would become another number."""
    for path in folder.glob(f"*{_SUFFIX}"):
        text = path.read_bytes()
        if not text.endswith(b"\n"):
            os.truncate(path, text.rfind(b"\n") + 1)


def _done(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob(f"*{_SUFFIX}"))


def _log(folder: Path, job: int) -> Path:
    return folder / f"{job}.log"
