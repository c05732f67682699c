"""Render a verified model as the files of a folder, and compile and compare them if the host has a compiler."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_export.board import fitting
from firmware_export.board.fitting import PartNeeds
from firmware_export.board.targets import Target
from firmware_export.bounds import count, measure
from firmware_export.bounds import header as bounds_header
from firmware_export.bounds.count import Count
from firmware_export.bounds.measure import Bounds, not_measured
from firmware_export.common import defaults
from firmware_export.common.c_text import check_prefix, check_symbol, namespace
from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.common.harden import Harden
from firmware_export.drift import header
from firmware_export.evidence import pack
from firmware_export.facts import ModelFacts, check_class_names
from firmware_export.images import scaling_header
from firmware_export.images.scaling import Scaling
from firmware_export.output import build_systems, fitting_report, folder, report
from firmware_export.output.report import ExportReport
from firmware_export.rows import export as row_engine
from firmware_export.rows.compile import RowsModel, compile_rows
from firmware_export.rows.lower import lower
from firmware_export.tflite.model import Model
from firmware_export.tflm import classifier, integrity, model_data, read_back
from firmware_export.verify.dense_parity import DenseParity
from firmware_export.verify.keras_parity import LAYERS_AGREE, KerasParity
from firmware_export.verify.kernel_parity import KernelParity
from firmware_export.verify.verify import Progress, Stage, Verified


@dataclass(frozen=True)
class Settings:
    """Which files are written for a model, and the names in them."""

    command: str
    """The command line that reproduces the files, without machine paths; the files quote it."""
    class_names: tuple[str, ...] = ()
    """One per output, in order; may be empty."""
    symbol: str = defaults.SYMBOL
    """The array's C identifier."""
    target: Target | None = None
    """The part that the model is made for; the reports mark it."""
    must_fit: bool = True
    """Refuse a model that does not fit `target`; otherwise the reports say so."""
    formats: tuple[str, ...] = ()
    """Build systems (`build_systems.FORMATS`) to write metadata for."""
    engine: Engine = Engine.TFLM
    """The engines to write files for."""
    engine_prefix: str = defaults.ENGINE_PREFIX
    """Prefix of the row engine's names and files."""
    harden: Harden = Harden.CONTROL
    """What the row engine checks while it runs."""
    measures_bounds: bool = True
    """Measure the row engine's stack and instructions in an emulator, if its tools are installed."""
    has_evidence: bool = False
    """Also write the evidence pack."""
    scaling: Scaling | None = None
    """How raw samples become the model's pixels; None if pixels are what the camera gives."""


@dataclass(frozen=True)
class Rendered:
    """A folder's content, and the report on it."""

    contents: Mapping[str, str | bytes]
    """By file name or relative path."""
    report: ExportReport


def check(settings: Settings, model: Model) -> None:
    """Refuse settings that do not fit a model, before the time-consuming steps start.

    Raises:
        UserError: a name is not a C identifier, a build system is unknown, class names do not match the output, the
            scaling has another number of channels, or the row engine is selected but lacks an operator of the model.
    """
    check_symbol(settings.symbol)
    check_class_names(settings.class_names, model.graph)
    build_systems.check_formats(settings.formats)
    check_prefix(settings.engine_prefix)
    if settings.scaling is not None:
        scaling_header.check(settings.scaling, model)
    if settings.engine.has_rows:
        lower(model)


def render(verified: Verified, settings: Settings, progress: Progress) -> Rendered:
    """Render, compile and compare every file; nothing is written.

    Args:
        verified: the model.
        settings: which files to write.
        progress: called repeatedly with the progress of each stage.

    Raises:
        UserError: the text does not compile, or the model does not fit the part.
        RuntimeError: the row engine's outputs differ from TensorFlow Lite Micro's, a defect of this program.
    """
    facts = _facts(verified, settings)
    rows = _compile_rows(verified.model, settings, verified.dense.dense_scale)
    progress(Stage.COMPILE, 0, 1)
    texts: dict[str, str] = {}
    compiled_with, rows_report, bounds, counts = None, None, None, None
    if settings.engine.has_tflm:
        rows_prefix = settings.engine_prefix if settings.engine.has_rows else None
        texts |= model_data.render(facts) | integrity.render(facts, verified.golden, rows_prefix)
        if facts.graph.is_classifier:
            texts |= classifier.render(facts, verified.abstention)
        compiled_with = read_back.check_array(texts, settings.symbol, verified.model.content)
    if rows is not None and settings.engine.has_rows:
        row_texts, rows_report = row_engine.files(rows, facts, verified)
        bounds = _bounds(row_texts, settings)
        if bounds.reason is None:
            layers, prefix = rows.report.layers, settings.engine_prefix
            counts = count.try_count(row_texts, layers, prefix, timeout_seconds=measure.SECONDS)
        texts |= row_texts | bounds_header.render(bounds, facts, settings.engine_prefix)
    prefix = _header_prefix(settings)
    texts |= header.render(verified.drift, verified.model, settings.command, prefix)
    texts |= scaling_header.render(settings.scaling, verified.model, settings.command, prefix)
    progress(Stage.COMPILE, 1, 1)
    parts = _check_parts(verified, settings, rows, counts or ())
    library = build_systems.library(facts, texts, settings.engine_prefix)
    metadata = build_systems.render(settings.formats, library)
    contents: dict[str, str | bytes] = {**texts, **metadata, "model.tflite": verified.model.content}
    evidence = pack.FILES if settings.has_evidence else ()
    names = tuple(sorted({folder.REPORT_FILE, fitting_report.FILE, *evidence, *contents}))
    done = report.make(
        facts,
        verified,
        compiled_with=compiled_with,
        files=names,
        parts=parts,
        rows=rows_report,
        bounds=bounds,
        counts=counts,
        scaling=settings.scaling,
    )
    contents[fitting_report.FILE] = fitting_report.render(done)
    digests = {name: hashlib.sha256(_bytes(contents[name])).hexdigest() for name in sorted(contents)}
    done = dataclasses.replace(done, digests=digests)
    contents[folder.REPORT_FILE] = folder.sealed(done.as_dict())
    if settings.has_evidence:
        contents |= pack.render({name: _bytes(content) for name, content in contents.items()})
    return Rendered(contents, done)


def _bounds(texts: Mapping[str, str], settings: Settings) -> Bounds:
    if not settings.measures_bounds:
        return not_measured("the export was told not to")
    return measure.measure(texts, settings.engine_prefix)


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def _scaling_file(settings: Settings) -> str | None:
    return None if settings.scaling is None else scaling_header.name(_header_prefix(settings))


def _header_prefix(settings: Settings) -> str:
    return settings.engine_prefix if settings.engine.has_rows else namespace(settings.symbol)


def _facts(verified: Verified, settings: Settings) -> ModelFacts:
    return ModelFacts(
        arena=verified.arena,
        given_sha256=verified.given.sha256,
        command=settings.command,
        symbol=settings.symbol,
        class_names=settings.class_names,
        verified_images=verified.kernel_parity.images,
        images_are_real=verified.images_are_real,
        parity=_sentence(verified.kernel_parity, verified.keras_parity, verified.dense),
        changes=verified.changes,
        scaling_file=_scaling_file(settings),
    )


def _compile_rows(model: Model, settings: Settings, dense_scale: DenseScale) -> RowsModel | None:
    """The model compiled for the row engine, even if only its size is needed; None if the engine does not support it.

    Raises:
        UserError: the row engine's files are to be written, but it does not support the model.
    """
    try:
        return compile_rows(
            model, settings.command, settings.engine_prefix, settings.harden, dense_scale, _scaling_file(settings)
        )
    except UserError:
        if settings.engine.has_rows:
            raise
        return None


def _check_parts(
    verified: Verified, settings: Settings, rows: RowsModel | None, counts: Sequence[Count]
) -> list[PartNeeds]:
    """What the model needs on each known part; refuses a target that is too small."""
    golden_bytes = len(verified.golden.content)
    tflm = fitting.TflmNeeds(
        constants_bytes=verified.model.size + golden_bytes,
        code_bytes=fitting.code_bytes(verified.model.graph.operator_names),
        arena_bytes=verified.arena.bytes_with_margin,
    )
    in_rows = None if rows is None else fitting.RowsNeeds(rows.report, golden_bytes)
    if settings.target is not None and settings.must_fit:
        if settings.engine.has_tflm:
            fitting.check_fits(settings.target, tflm, in_rows)
        if settings.engine.has_rows and in_rows is not None:
            fitting.check_fits(settings.target, in_rows)
    counted = {each.core: each.instructions for each in counts if each.instructions is not None}
    return fitting.table(tflm, in_rows, settings.target, counted)


def _sentence(parity: KernelParity, keras: KerasParity | None, dense: DenseParity) -> str:
    differing = sum(tensor.differing for tensor in parity.tensors)
    elements = sum(tensor.elements for tensor in parity.tensors)
    text = (
        f"TensorFlow Lite Micro and TFLite's reference kernels agree bit for bit in all {len(parity.tensors)} tensors "
        f"({elements} values)"
    )
    text += f", except {differing} FULLY_CONNECTED outputs that differ by one step" if differing else ""
    if dense.can_differ:
        text += f"; {dense.statement}"
    if keras is not None:
        text += (
            f"; the quantization-aware Keras model agrees within {max(1, keras.largest_difference)} output steps "
            f"({keras.differing} of {keras.elements} outputs differ, {keras.beyond_one_step} by more than one step) "
            f"and in the class, except for {keras.class_changes} images whose two highest outputs are that close"
        )
        text += f"; {LAYERS_AGREE}" if keras.is_rounding_alone else ""
    return text
