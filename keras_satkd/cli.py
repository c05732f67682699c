"""Command lines: which preset, which settings over it, which run folder. TensorFlow is not imported to read them."""

import contextlib
import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, NoReturn

import tyro

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error
from firmware_export.common.extras import training_packages
from firmware_export.common.stderr import captured_stderr
from keras_satkd.config import Config, load, validated


@dataclass(frozen=True)
class _Preset:
    config: str = "eurosat"


def parse(module: str, description: str, arguments: Sequence[str] | None = None) -> tuple[Config, Path, int]:
    """Settings, run folder and log level of a command line: `--config` first, the other flags over it.

    Args:
        module: the program, as in `keras_satkd.distill`, for the help text.
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
        verbosity: VerbosityFlags = Verbosity(),
    ) -> tuple[Config, Path, int]:
        """Read the whole command line.

        Args:
            settings: all that the preset says too.
            config: a preset (eurosat, eurosat_long, demo, paper, study) or a TOML file; the flags below change it.
            workdir: the run's folder. The same command goes on where an earlier one was stopped.
            verbosity: how much is said.
        """
        return validated(settings), workdir, verbosity.level

    return read(command, module, arguments, description=description)


def main(module: str, description: str, steps: str) -> NoReturn:
    """Go a stretch of the road with the run that the command line describes, then leave the process.

    Args:
        module: that was called.
        description: what it does, for the help text.
        steps: name of the function of `keras_satkd.pipeline.steps` that does it.
    """

    def work() -> None:
        config, workdir, level = parse(module, description)
        show_log(level)
        road = import_quietly("keras_satkd.pipeline.steps")
        getattr(road, steps)(road.Run(workdir, config))

    exit_on_user_error(work, is_resumable=True)


def import_quietly(module: str) -> ModuleType:
    """A module that brings TensorFlow, without TensorFlow's chatter (unless `--verbose` asks for it).

    Command lines import what does their work with it, once they are read: it takes seconds that `--help` must not cost.

    Args:
        module: its full name, as in `keras_satkd.pipeline.steps`.

    Raises:
        UserError: the extra `train` is not installed.
    """
    # TensorFlow's C++ half tells whoever imports it of missing GPUs and CPU features, whatever the log level.
    is_verbose = logging.getLogger("keras_satkd").isEnabledFor(logging.DEBUG)
    with training_packages(), contextlib.nullcontext() if is_verbose else captured_stderr():
        imported = importlib.import_module(module)
        importlib.import_module("tensorflow").config.list_logical_devices()
    return imported
