"""`python -m firmware_export.upsets DIR`: flip bits in what an exported folder runs with, and report the outcomes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import tyro

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import UserError, exit_on_user_error

_JOURNALS = "journals"


@dataclass(frozen=True)
class Arguments:
    """Flip bits in what exported folders run with, and report what comes of it: fault injection.

    Single bits flip in the row engine's weights, tables, layers, schedule, counters and activations (on this host), in
    registers and stack (on an emulated Cortex-M4), and in the model that TensorFlow Lite Micro runs. The report counts
    outcomes by region, layer and bit, with 95 % intervals. Given an upset rate, it states wrong answers a year and the
    scrub period that keeps a bound. An interrupted command resumes.
    """

    folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FOLDER ...")]
    """Folders that python -m firmware_export wrote; several are compared in one table."""

    out: Path = Path("upsets")
    """Folder of the report: upsets.html, upsets.md, upsets.json; also of what is needed to resume."""

    images: Path | None = None
    """Images to inject on, of which 32 are taken: a folder, a zip or a .npy. By default the golden vectors, which
    registers and stack always use."""

    samples: int = 1000
    """Injections for each region of the row engine."""

    margin: float | None = None
    """Instead of --samples: how far a 95 % interval may reach from the share, such as 0.02."""

    slow_samples: int = 60
    """Injections for each region of the emulated processor and of TensorFlow Lite Micro, which are slow; 0 for none."""

    seed: int = 0
    """The same seed draws the same injections."""

    jobs: int | None = None
    """Number of processes; by default one for each processor."""

    upsets_per_bit_day: float | None = None
    """Upsets per bit and day in your orbit and part. Without it, no answers a year are stated."""

    images_per_day: float = 1000.0
    """Images that are classified per day."""

    seconds_per_image: float = 1.0
    """Time that an image takes on your part."""

    bound: float | None = None
    """Wrong answers a year that are acceptable: the report states the scrub period that keeps it."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""
    exit_on_user_error(_work, is_resumable=True)


def _work() -> None:
    arguments = read(Arguments, "firmware_export.upsets")
    show_log(arguments.verbosity.level)
    from firmware_export.common import files
    from firmware_export.upsets import campaign, folder, rates, report, sampling

    mission = None
    if arguments.upsets_per_bit_day is not None:
        mission = rates.Mission(
            arguments.upsets_per_bit_day, arguments.images_per_day, arguments.seconds_per_image, arguments.bound
        )
    elif arguments.bound is not None:
        raise UserError(f"--bound {arguments.bound:g} needs an upset rate: give --upsets-per-bit-day, too")
    samples = arguments.samples if arguments.margin is None else sampling.samples_for(arguments.margin)
    jobs = len(os.sched_getaffinity(0)) if arguments.jobs is None else arguments.jobs
    for option, value, least in (
        ("--samples", samples, 1),
        ("--slow-samples", arguments.slow_samples, 0),
        ("--jobs", jobs, 1),
        ("--seed", arguments.seed, 0),
    ):
        if value < least:
            raise UserError(f"{option} {value}, {least} or more expected")
    if not arguments.folders:
        raise UserError("no folder: give a folder that python -m firmware_export wrote")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a file, a folder expected: give another --out")
    exported = folder.read_all(arguments.folders, arguments.images)
    work = arguments.out.resolve() / _JOURNALS
    settings = campaign.Settings(samples, arguments.slow_samples, arguments.seed, jobs, work)
    results = [campaign.run(each, settings) for each in exported]
    found = report.Report(results, settings, mission)
    files.write_json(arguments.out / "upsets.json", found.as_dict())
    files.write_text(arguments.out / "upsets.md", found.markdown())
    files.write_text(arguments.out / "upsets.html", found.html())
    found.print()
    print(f"{arguments.out / 'upsets.html'}, {arguments.out / 'upsets.md'}, {arguments.out / 'upsets.json'}")


if __name__ == "__main__":
    main()
