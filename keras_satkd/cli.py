"""Command lines: which preset, which settings over it, which run folder. TensorFlow is not imported to read them."""

import importlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, NoReturn

import tyro

from firmware_export.errors import UserError, exit_on_user_error
from firmware_export.silence import captured_stderr
from keras_satkd.config import Config, load, validated


@dataclass(frozen=True)
class _Preset:
    config: str = "eurosat"


def parse(program: str, description: str, arguments: Sequence[str] | None = None) -> tuple[Config, Path, int]:
    """Settings, run folder and log level of a command line: `--config` first, the other flags over it.

    Args:
        program: as in `python -m keras_satkd.distill`, for the help text.
        description: what the command does.
        arguments: the command line; `sys.argv[1:]` when not given.

    Raises:
        UserError: the preset does not exist, or a value is out of range.
        SystemExit: `--help` was asked for, or a flag is unknown.
    """
    # The help text shows the preset's values as defaults, so the preset must be known before the flags are.
    preset, _ = tyro.cli(_Preset, args=arguments, return_unknown_args=True, add_help=False)
    defaults = load(preset.config)

    def command(
        settings: Annotated[Config, tyro.conf.arg(name="")] = defaults,
        config: str = preset.config,
        workdir: Path = Path("runs") / Path(preset.config).stem,
        quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False,
        verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False,
    ) -> tuple[Config, Path, int]:
        """Read the whole command line.

        Args:
            settings: all that the preset says too.
            config: a preset (eurosat, demo, paper, study) or a TOML file; the flags below change it.
            workdir: the run's folder. The same command goes on where an earlier one was stopped.
            quiet: show warnings and the results only.
            verbose: show what the libraries say too.
        """
        if quiet and verbose:
            raise UserError("--quiet and --verbose contradict each other: leave one of them out")
        level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
        return validated(settings), workdir, level

    return tyro.cli(command, args=arguments, prog=f"python -m {program}", description=description)


def main(program: str, description: str, steps: str) -> NoReturn:
    """Go a stretch of the road with the run that the command line describes, then leave the process.

    Args:
        program: module that was called.
        description: what it does, for the help text.
        steps: name of the function of `keras_satkd.road` that does it.
    """

    def work() -> None:
        config, workdir, level = parse(program, description)
        tell_steps(level)
        road = import_quietly("keras_satkd.road")
        getattr(road, steps)(road.Run(workdir, config))

    exit_on_user_error(work)


def tell_steps(level: int = logging.INFO) -> None:
    """Log to stderr: each step of ours as it begins, and only warnings of others.

    Args:
        level: `logging`'s; WARNING keeps steps and epochs to ourselves, DEBUG lets the libraries talk and gives times.
    """
    is_verbose = level <= logging.DEBUG
    logging.basicConfig(
        level=logging.INFO if is_verbose else logging.WARNING,
        format="%(asctime)s %(name)s: %(message)s" if is_verbose else "%(message)s",
    )
    logging.getLogger("keras_satkd").setLevel(level)
    if not is_verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for name in ("tensorflow", "absl"):
            logging.getLogger(name).setLevel(logging.ERROR)


def import_quietly(module: str) -> ModuleType:
    """A module that brings TensorFlow, without TensorFlow's chatter.

    Command lines import what does their work with it, once they are read: it takes seconds that `--help` must not cost.

    Args:
        module: its full name, as in `keras_satkd.road`.
    """
    # TensorFlow's C++ half tells whoever imports it of missing GPUs and CPU features, whatever the log level.
    with captured_stderr():
        imported = importlib.import_module(module)
        importlib.import_module("tensorflow").config.list_logical_devices()
    return imported
