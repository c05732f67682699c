"""The export command line: parse, load, export, print."""

import dataclasses
import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from firmware_export.common import defaults
from firmware_export.common.c_text import check_symbol
from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log, words
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text

if TYPE_CHECKING:
    import numpy as np

    from firmware_export.output.report import ExportReport
    from firmware_export.verify.verify import LabelledImages, Progress


_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True)
class Arguments:
    """Export a model as C++ or C whose results were checked against TensorFlow Lite Micro, tensor by tensor.

    Writes model_data.cc/.h, model_ops.h, integrity.cc/.h, golden_vectors.cc/.h, classifier.cc/.h, model.tflite and
    export.json, or nothing. Exit code 2 means that the command or the model has an error; the message says how to fix
    it.
    """

    model: tyro.conf.Positional[Path]
    """An int8 .tflite, or a legacy Keras .h5 or .keras: quantization-aware, or float with --images for calibration."""

    out: Path
    """Output folder. Files of an earlier export are replaced or removed; all other files stay."""

    images: Path | None = None
    """Real images to verify on, at least 256: a folder (searched recursively, images are resized), a zip of one, or a
    .npy, uint8 [N, H, W, C]. By default 256 generated images are used, and every file says so."""

    validation: Path | None = None
    """Labelled images that were not used for training, to choose the classifier's abstention threshold and the drift
    monitor's bounds: a folder with one subfolder per class, a zip of one, or a .npz with images, uint8 [N, H, W, C],
    and labels, int [N]."""

    keras: Path | None = None
    """The quantization-aware .h5 that a .tflite MODEL was converted from: also compare these two."""

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

    target: str | None = None
    """The target part, such as samv71, or generic: a model that does not fit is refused, with a list of what fits."""

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

    trust_model: bool = False
    """Also load a Keras model that can run code on this machine: only if you trust the author of the file."""

    force: bool = False
    """Also overwrite files of these names that no export has written."""

    verbosity: VerbosityFlags = Verbosity()

    @property
    def command(self) -> str:
        """The command line that reproduces the files, without this machine's folders."""
        names: Any = (Path(self.class_names[0]),) if _is_file(self.class_names) else self.class_names
        quoted = dataclasses.replace(self, class_names=names, force=False, verbosity=Verbosity())
        return shlex.join(["python", "-m", "firmware_export", *words(quoted)])


def work() -> None:
    """Parse the command line, export, and print the results."""
    arguments = read(Arguments, "firmware_export", config=(tyro.conf.AvoidSubcommands,))
    show_log(arguments.verbosity.level)
    from firmware_export import export
    from firmware_export.board import targets
    from firmware_export.common.engine import Engine
    from firmware_export.output import build_systems, folder
    from firmware_export.output.render import Settings
    from firmware_export.rows import naming
    from firmware_export.verify.verify import Evidence, check_rates

    check_symbol(arguments.symbol)
    naming.check_prefix(arguments.engine_prefix)
    _check_names_are_used(arguments)
    check_rates(arguments.error_rate, arguments.false_alarm_rate, arguments.drift_window)
    folder.check(arguments.out)
    build_systems.check_formats(arguments.format)
    target = targets.choose(arguments.target, arguments.flash_bytes, arguments.ram_bytes, arguments.core)
    class_names = _class_names(arguments.class_names)
    model, images, validation, keras_model = _load(arguments, class_names)
    with progress_bars() as progress:
        report = export.export(
            model,
            arguments.out,
            Evidence(
                images=images,
                validation=validation,
                error_rate=arguments.error_rate,
                false_alarm_rate=arguments.false_alarm_rate,
                drift_window=arguments.drift_window,
                keras_model=keras_model,
            ),
            Settings(
                command=arguments.command,
                class_names=class_names,
                symbol=arguments.symbol,
                target=target,
                formats=arguments.format,
                engine=Engine(arguments.engine),
                engine_prefix=arguments.engine_prefix,
            ),
            name=arguments.model.name,
            expect_unit_input=arguments.model.suffix in _KERAS_SUFFIXES,
            force=arguments.force,
            progress=progress,
        )
    _print(report, arguments.out)


def _check_names_are_used(arguments: Arguments) -> None:
    for option, value, default, engine, instead in (
        ("--symbol", arguments.symbol, defaults.SYMBOL, "rows", "--engine-prefix"),
        ("--engine-prefix", arguments.engine_prefix, defaults.ENGINE_PREFIX, "tflm", "--symbol"),
    ):
        if value != default and arguments.engine == engine:
            raise UserError(f"{option} {value} has no effect with --engine {engine}: give {instead} instead")


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


def _load(
    arguments: Arguments, class_names: tuple[str, ...]
) -> "tuple[bytes, np.ndarray | None, LabelledImages | None, object]":
    path = arguments.model
    if not path.is_file():
        raise UserError(f"model {str(path)!r} not found: give a .tflite, .h5 or .keras file")
    if path.suffix in _KERAS_SUFFIXES:
        return _load_keras(arguments, class_names)
    from firmware_export.tflite import convert
    from firmware_export.verify import verify

    model = path.read_bytes()
    graph = verify.read(model, path.name).graph
    images = _images(arguments, graph.inputs[0].shape[1:], class_names, graph.outputs[0].size)
    given = arguments.keras
    keras = None if given is None else convert.load_keras(given, trust=arguments.trust_model)
    return model, *images, keras


def _load_keras(
    arguments: Arguments, class_names: tuple[str, ...]
) -> "tuple[bytes, np.ndarray | None, LabelledImages | None, object]":
    from firmware_export.tflite import convert

    if arguments.keras is not None:
        raise UserError(f"--keras {str(arguments.keras)!r} is only for a .tflite MODEL: leave it out")
    model = convert.load_keras(arguments.model, trust=arguments.trust_model)
    convert.check_input(model)
    images, validation = _images(arguments, model.input_shape[1:], class_names, model.output_shape[-1])
    if convert.is_quantization_aware(model):
        return convert.quantized_aware_to_int8(model), images, validation, model
    if images is None:
        raise UserError(f"{arguments.model.name} is a float model: give --images to calibrate it")
    return convert.float_to_int8(model, images), images, validation, None


def _images(
    arguments: Arguments, shape: tuple[int, ...], class_names: tuple[str, ...], outputs: int
) -> "tuple[np.ndarray | None, LabelledImages | None]":
    from firmware_export.images import load

    given, labelled = arguments.images, arguments.validation
    return (
        None if given is None else load.load_images(given, tuple(shape), defaults.LEAST_IMAGES),
        None if labelled is None else load.load_labelled(labelled, tuple(shape), class_names, outputs),
    )


@contextmanager
def progress_bars() -> "Iterator[Progress]":
    """Progress bars on stderr for `export(progress=…)`: on a terminal only, and not with `--quiet`."""
    from rich.console import Console
    from rich.progress import Progress as Bars

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
        yield lambda stage, done, total: bars.update(tasks[stage], completed=done, total=total, visible=True)


def _print(report: "ExportReport", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for label, text in _rows(report):
        table.add_row(label, text)
    console = Console(highlight=False)
    console.print(f"{out}: {', '.join(report.files)}", markup=False, soft_wrap=True)
    console.print(table)
    if not report.has_unit_input:
        console.print(
            f"warning: input scale {report.input_scale:.9g}, zero point {report.input_zero_point}: not pixel / 255, so "
            "firmware must quantize its input itself",
            markup=False,
        )


def _rows(report: "ExportReport") -> list[tuple[str, str]]:
    differing = sum(tensor.differing for tensor in report.kernel_parity)
    kind = "real" if report.images_are_real else "GENERATED (no --images)"
    rows = [
        ("flash, model", f"{report.flash_bytes:,} bytes"),
        ("arena", f"{report.arena_bytes:,} bytes found, {report.arena_bytes_with_margin:,} with margin"),
        ("work", f"{report.macs:,} MACs, {report.parameters:,} parameters"),
        (
            "fits",
            ", ".join(part.target for part in report.targets if part.fits) or "none of the parts known here",
        ),
        ("answers", report.unsure.reason),
        ("drift", report.drift.reason),
        ("operators", ", ".join(f"{name} x{count}" for name, count in report.operators.items())),
        ("verified on", f"{report.verified_images} images, {kind}"),
        ("kernels", f"{len(report.kernel_parity)} tensors agree with TFLM; {differing} values one step off (allowed)"),
    ]
    if report.keras_parity is not None:
        parity = report.keras_parity
        count = f"{parity.differing} of {parity.elements} outputs differ"
        rows.append(("Keras model", f"{count}, {parity.beyond_one_step} by more than one step"))
    if report.rows is not None:
        needed, flash = report.rows.context_bytes, report.rows.constants_bytes
        scratch = report.rows.scratch_bytes
        memory = f"{needed:,} bytes of RAM ({needed + scratch['dsp']:,} on M4, M7; {needed + scratch['mve']:,} on M55)"
        rows.append(("row engine", f"{memory}, {flash:,} of constants; code comes on top"))
    compiled_with = report.compiled_with or (report.rows and report.rows.compiled_with)
    rows.append(("compiled with", compiled_with or "no compiler found: only the files' text was read back"))
    rows.append(("SHA-256", report.sha256))
    return rows
