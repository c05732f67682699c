"""The export command line: parse, load, export, print."""

import dataclasses
import logging
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from firmware_export.common import defaults
from firmware_export.common.c_text import check_prefix, check_symbol
from firmware_export.common.command_line import MayBePath, Verbosity, VerbosityFlags, read, show_log, words
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text

if TYPE_CHECKING:
    from firmware_export.verify.verify import Progress


@dataclass(frozen=True)
class Arguments:
    """Export a model as C++ or C whose results were checked against TensorFlow Lite Micro, tensor by tensor.

    Writes model_data.cc/.h, model_ops.h, integrity.cc/.h, golden_vectors.cc/.h, classifier.cc/.h, model.tflite and
    export.json, or nothing. Exit code 2 means that the command or the model has an error; the message says how to fix
    it.
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """An int8 .tflite, or a legacy Keras .h5 or .keras: quantization-aware, or float with --images for calibration."""

    out: Path
    """Output folder. Files of an earlier export are replaced or removed; all other files stay."""

    images: Path | None = None
    """Real images to verify on, at least 256: a folder (searched recursively, images are resized), a zip of one, a
    .npy, uint8 [N, H, W, C], or a .npz with such images. By default 256 generated images are used, and every file says
    so."""

    validation: Path | None = None
    """Labelled images that were not used for training, to choose the classifier's abstention threshold and the drift
    monitor's bounds: a folder with one subfolder per class, a zip of one, or a .npz with images, uint8 [N, H, W, C],
    and labels, int [N]."""

    scaling: Path | None = None
    """How raw samples of more than 8 bits or of several bands become the model's pixels: the scaling.json of its run.
    Images are read by it, and a header with the same function in C is written. Arrays of 8 bits hold pixels already."""

    keras: Path | None = None
    """The quantization-aware .h5 that a .tflite MODEL was converted from: also compare these two."""

    input_range: str | None = None
    """Values that the model expects of pixels 0 to 255: 0..1, -1..1, 0..255, -0.5..0.5, imagenet or efficientnet-lite.
    Found from a .tflite's input scale and zero point, or a Keras model's Rescaling; otherwise 0..1 for Keras models."""

    error_rate: float = defaults.ERROR_RATE
    """Highest error rate allowed among the classifier's answers. It determines the abstention threshold, below which
    the classifier answers "unsure"."""

    false_alarm_rate: float = defaults.FALSE_ALARM_RATE
    """Highest rate of false alarms of the drift monitor, per window of images. It determines the monitor's bounds."""

    drift_window: int = defaults.DRIFT_WINDOW
    """Number of images after which the drift monitor decides."""

    class_names: tuple[str, ...] = ()
    """The classes in output order: names, or one text file with one name per line."""

    symbol: str = defaults.SYMBOL
    """C identifier of the model array; its length is SYMBOL_size."""

    target: Annotated[str | None, MayBePath] = None
    """The part: samv71, samrh71, va416xx, va10820, gr712rc, same70, stm32f411, stm32f746, stm32h743, stm32l4r5,
    stm32n657, rp2040, rp2350, nrf52840, esp32s3, esp32p4; a .toml file that describes your own; or generic. A model
    that does not fit is refused, with a list of what fits."""

    must_fit: bool = True
    """Refuse a model that does not fit the part; otherwise only the reports say so."""

    flash_bytes: int | None = None
    """Generic target only: bytes of memory for code and constants."""

    ram_bytes: int | None = None
    """Generic target only: bytes of the largest contiguous data memory."""

    core: str | None = None
    """Generic target only: the core as GCC's -mcpu spells it, such as cortex-m4."""

    format: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Build systems to write metadata for: cmake, zephyr, esp-idf, arduino, platformio."""

    engine: Literal["tflm", "rows", "both"] = "tflm"
    """Which files to write: for TensorFlow Lite Micro; for the row engine, which is plain C without any library and
    takes an eighth of the memory; or both."""

    engine_prefix: str = defaults.ENGINE_PREFIX
    """Prefix of the row engine's names and files: give each model in a firmware its own."""

    harden: Literal["none", "control", "detect", "correct"] = "control"
    """What the row engine checks while it runs, against flipped bits: counters, layers and schedule (control); also
    weights and rows (detect); and it repairs constants and runs again (correct). none is the same as control, whose
    checks take less than 1 % of the instructions."""

    dense_scale: Literal["double", "float"] = "double"
    """How your TensorFlow Lite Micro multiplies the scales of a dense layer with one weight scale: in double, as the
    package on this host, or in float32, as its source did up to August 2026. The report says whether it matters."""

    trust_model: bool = False
    """Also load a Keras model that can run code on this machine: only if you trust the author of the file."""

    bounds: bool = True
    """Measure the row engine's stack and instructions on an emulated Cortex-M4 and write them into a header. Needs
    arm-none-eabi-gcc and qemu-system-arm; without them, the header says why it has none."""

    evidence: bool = False
    """Also write evidence/: what the export proves, by topics that flight software is asked for (ECSS, EASA). It claims
    no certification. python -m firmware_export.evidence DIR writes it again, such as after an upset campaign."""

    time_limit: float | None = None
    """Seconds after which the export stops: the error names the step that did not end, and nothing is written."""

    force: bool = False
    """Also overwrite files of these names that no export has written."""

    verbosity: VerbosityFlags = Verbosity()

    @property
    def command(self) -> str:
        """The command line that reproduces the files, without this machine's folders."""
        names: Any = (Path(self.class_names[0]),) if _is_file(self.class_names) else self.class_names
        quoted = dataclasses.replace(self, class_names=names, force=False, time_limit=None, verbosity=Verbosity())
        return shlex.join(["python", "-m", "firmware_export", *words(quoted)])


def work() -> None:
    """Parse the command line, export, and print the results."""
    arguments = read(Arguments, "firmware_export", config=(tyro.conf.AvoidSubcommands,))
    show_log(arguments.verbosity.level)
    from firmware_export.common import steps

    steps.check_limit(arguments.time_limit)
    with steps.watched(arguments.time_limit) as lift_limit:
        _export(arguments, lift_limit)


def _export(arguments: Arguments, lift_limit: Callable[[], None]) -> None:
    from firmware_export import export, inputs
    from firmware_export.board import targets
    from firmware_export.common.dense_scale import DenseScale
    from firmware_export.common.engine import Engine
    from firmware_export.common.harden import Harden
    from firmware_export.images import scaling as scalings
    from firmware_export.output import build_systems, folder, summary
    from firmware_export.output.render import Settings
    from firmware_export.verify.verify import Evidence, check_rates

    check_symbol(arguments.symbol)
    check_prefix(arguments.engine_prefix)
    _check_names_are_used(arguments)
    check_rates(arguments.error_rate, arguments.false_alarm_rate, arguments.drift_window)
    folder.check(arguments.out)
    build_systems.check_formats(arguments.format)
    target = targets.choose(arguments.target, arguments.flash_bytes, arguments.ram_bytes, arguments.core)
    class_names = _class_names(arguments.class_names)
    scaling = None if arguments.scaling is None else scalings.load(arguments.scaling)
    given = inputs.load(arguments, class_names, scaling)
    with progress_bars() as progress:
        report = export.export(
            given.model,
            arguments.out,
            Evidence(
                images=given.images,
                labels=given.labels,
                class_names=class_names,
                validation=given.validation,
                error_rate=arguments.error_rate,
                false_alarm_rate=arguments.false_alarm_rate,
                drift_window=arguments.drift_window,
                keras_model=given.keras_model,
                dense_scale=DenseScale(arguments.dense_scale),
                refuses_chance=True,
            ),
            Settings(
                command=arguments.command,
                class_names=class_names,
                symbol=arguments.symbol,
                target=target,
                must_fit=arguments.must_fit,
                formats=arguments.format,
                engine=Engine(arguments.engine),
                engine_prefix=arguments.engine_prefix,
                harden=Harden(arguments.harden),
                measures_bounds=arguments.bounds,
                has_evidence=arguments.evidence,
                scaling=scaling,
            ),
            name=arguments.model.name,
            expect_unit_input=given.is_keras,
            input_range=given.input_range,
            force=arguments.force,
            progress=progress,
            before_writing=lift_limit,
        )
    summary.show(report, arguments.out)


def _check_names_are_used(arguments: Arguments) -> None:
    for option, value, default, engine, instead in (
        ("--symbol", arguments.symbol, defaults.SYMBOL, "rows", "--engine-prefix"),
        ("--engine-prefix", arguments.engine_prefix, defaults.ENGINE_PREFIX, "tflm", "--symbol"),
    ):
        if value != default and arguments.engine == engine:
            raise UserError(f"{option} {value} has no effect with --engine {engine}: give {instead} instead")
    if arguments.harden != "control" and arguments.engine == "tflm":
        raise UserError(f"--harden {arguments.harden} has no effect with --engine tflm: give --engine rows or both")


def _is_file(class_names: tuple[str, ...]) -> bool:
    return len(class_names) == 1 and Path(class_names[0]).is_file()


def _class_names(given: tuple[str, ...]) -> tuple[str, ...]:
    if not _is_file(given):
        return given
    try:
        lines = read_text(Path(given[0])).splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"class name file {given[0]!r} is not UTF-8 text: give one name per line") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise UserError(f"class name file {given[0]!r} is empty: give one name per line")
    return names


@contextmanager
def progress_bars() -> "Iterator[Progress]":
    """Progress bars on stderr for `export(progress=…)`: on a terminal only, and not with `--quiet`."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    from firmware_export.common import steps
    from firmware_export.verify.verify import Stage

    names = {
        Stage.ARENA: "finding the smallest arena",
        Stage.IMAGES: "comparing every tensor",
        Stage.COMPILE: "compiling",
    }
    console = Console(stderr=True)
    is_shown = console.is_terminal and logging.getLogger("firmware_export").isEnabledFor(logging.INFO)
    with Bars(transient=True, console=console, disable=not is_shown) as bars:
        tasks = {stage: bars.add_task(text, total=None, visible=False) for stage, text in names.items()}

        def show(stage: Stage, done: int, total: int) -> None:
            bars.update(tasks[stage], completed=done, total=total, visible=True)
            if total > 1:
                steps.at(done, total, has_bar=is_shown)

        yield show
