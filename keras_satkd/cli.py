"""Command-line parsing: the preset, the settings that override it, and the run folder. It imports no TensorFlow."""

import contextlib
import importlib.metadata
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import tyro

from firmware_export import __version__
from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import UserError, exit_on_user_error
from firmware_export.common.extras import training_packages
from firmware_export.common.stderr import captured_stderr
from firmware_export.common.usage_errors import one_line_usage_errors
from keras_satkd.config import Config
from keras_satkd.config_io import flatten, load, to_dict, validated
from keras_satkd.run.cluster import find
from keras_satkd.run.folder import Run
from keras_satkd.run.meeting import Meeting, leaves
from keras_satkd.run.stages import NO_STAGE


@dataclass(frozen=True)
class _Preset:
    config: str = "eurosat"


def parse(module: str, description: str, arguments: Sequence[str] | None = None) -> tuple[Config, Path, int]:
    """Settings, run folder and log level of a command line. Other flags override `--config`.

    Args:
        module: the program for the help text, such as `keras_satkd.distill`.
        description: what the command does.
        arguments: the command line; `sys.argv[1:]` if not given.

    Raises:
        UserError: the preset does not exist, a flag is unknown, or a value is wrong.
        SystemExit: `--help` was given.
    """
    # The help text shows the preset's values as defaults, so the preset must be read before the flags.
    with one_line_usage_errors():
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
            settings: all settings of the preset.
            config: a preset (eurosat, eurosat_camera, eurosat_long, progressive, capacity, born_again, concurrent,
                few_labels, demo, paper, study) or a TOML file; the flags below override it.
            workdir: the run's folder, also `s3://BUCKET/NAME` or `gs://BUCKET/NAME`. Repeat the command to resume an
                interrupted run.
            verbosity: how much is logged.
        """
        return validated(settings), workdir, verbosity.level

    return read(command, module, arguments, description=description)


def given_as_url(workdir: Path) -> str | None:
    """The URL that `--workdir` names, `s3://…` or `gs://…`; None for a path. A `Path` joins the slashes of a URL."""
    scheme, separator, rest = str(workdir).partition(":/")
    return f"{scheme}://{rest}" if separator and scheme in ("s3", "gs") else None


def on_this_machine(workdir: Path, whose: str = "a run's") -> Path:
    """A folder that may be given as `file:///…`.

    Raises:
        UserError: it is in object storage.
    """
    if url := given_as_url(workdir):
        raise UserError(f"--workdir {url}: {whose} folder is on this machine: give a local one")
    text = str(workdir)
    return Path(text.removeprefix("file:")) if text.startswith("file:/") else workdir


def main(module: str, description: str, work_on: Callable[[Run], None], *, trains: bool = True) -> NoReturn:
    """Run the steps that the command line describes, then exit.

    Args:
        module: the program, such as `keras_satkd.distill`.
        description: what it does, for the help text.
        work_on: runs the steps.
        trains: whether it trains, on the devices of `--strategy`; otherwise `TF_CONFIG` is ignored.
    """

    def work() -> None:
        config, workdir, level = parse(module, description)
        show_log(level)
        cluster = find(config.strategy) if trains else None
        run = _run(workdir, config, is_shared=cluster is not None)
        if cluster is not None:
            run.meeting = Meeting(run.workdir, cluster, config.worker_timeout)
        with leaves(run.meeting):
            if run.meeting is not None:
                run.meeting.join(facts(config))
            if trains:
                with quiet_imports():
                    from keras_satkd.training.parallel import begin

                    run.parallel = begin(config.strategy, run.meeting)
            work_on(run)

    exit_on_user_error(work, is_resumable=True)


def _run(workdir: Path, config: Config, *, is_shared: bool) -> Run:
    """The run in a folder, which may be in object storage.

    Raises:
        UserError: it is there, and other processes train with this one.
    """
    url = given_as_url(workdir)
    if url is None:
        return Run(on_this_machine(workdir), config)
    if is_shared:
        raise UserError(
            f"--workdir {url}: processes that train together need a folder on a file system that they share"
        )
    from keras_satkd.run.remote_folder import RemoteFolder  # it imports NumPy

    remote = RemoteFolder(url, config.data.cache_dir)
    run = Run(remote.folder, config)
    run.remote = remote
    return run


def facts(config: Config) -> dict[str, Any]:
    """What processes that train together must have in common."""
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "tf-keras")}
    settings = {name: value for name, value in flatten(to_dict(config)).items() if name not in NO_STAGE}
    # The images themselves are compared later; their place may differ.
    del settings["data.source"]
    return {"version": {"keras_satkd": __version__} | versions, "configuration": settings}


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Import TensorFlow, and the modules that need it, without TensorFlow's messages (`--verbose` shows them).

    Commands import them after reading the command line: the import takes seconds, and `--help` must be quick.

    Raises:
        UserError: the extra `train` is not installed.
    """
    # TensorFlow's C++ code reports missing GPUs and CPU features on import, whatever the log level.
    is_verbose = logging.getLogger("keras_satkd").isEnabledFor(logging.DEBUG)
    with training_packages(), contextlib.nullcontext() if is_verbose else captured_stderr():
        yield
        import tensorflow as tf

        tf.config.list_logical_devices()
