"""One model, verified, as a folder that firmware builds from."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.board import fitting
from firmware_export.board.targets import Target
from firmware_export.common import defaults, files
from firmware_export.common.c_text import check_symbol
from firmware_export.common.errors import UserError
from firmware_export.facts import ModelFacts, check_class_names
from firmware_export.images.generated import generated_images
from firmware_export.memory import arena, offline_plan
from firmware_export.output import build_systems, fitting_report, folder, report
from firmware_export.output.report import ExportReport
from firmware_export.rows import export as row_engine
from firmware_export.rows import naming
from firmware_export.rows.compile import RowsModel, compile_rows
from firmware_export.tflite import convert, interpreters, reader
from firmware_export.tflite.graph import Graph
from firmware_export.tflm import classifier, integrity, model_data, read_back
from firmware_export.verify import abstention, kernel_parity, sandbox
from firmware_export.verify.golden_vectors import golden_vectors
from firmware_export.verify.keras_parity import KerasParity, check_keras

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, done, total)."""

LabelledImages = tuple[np.ndarray, np.ndarray]
"""uint8 [N, …input shape without the batch] (or int8: the model's codes) and int [N], classes from 0."""

_ARENA_IMAGES = 16
"""How many images also run in the least arena; memory shared wrongly shows on the first."""


def export(
    model: bytes,
    out_dir: Path,
    *,
    images: np.ndarray | None,
    validation: LabelledImages | None = None,
    error_rate: float = defaults.ERROR_RATE,
    class_names: Sequence[str] = (),
    command: str,
    symbol: str = defaults.SYMBOL,
    keras_model: Any = None,
    images_are_real: bool = True,
    expect_unit_input: bool = False,
    name: str = "model.tflite",
    target: Target | None = None,
    formats: Sequence[str] = (),
    engine: str = "tflm",
    engine_prefix: str = defaults.ENGINE_PREFIX,
    force: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Verify an int8 model and write the folder that firmware builds from.

    `model_data.cc/.h`, `model_ops.h`, `integrity.cc/.h`, `golden_vectors.cc/.h` and `classifier.cc/.h` for TensorFlow
    Lite Micro, `satkd_model.c/.h` and `satkd_golden.c/.h` for the row engine; `model.tflite` and `export.json`.

    Everything is rendered, executed, compared and compiled first; then all files appear, or none.

    Args:
        model: the bytes of an int8 `.tflite`.
        out_dir: made if missing; files that no export wrote are left alone.
        images: uint8 [N, …input shape without the batch], N ≥ 256 (or int8: the model's codes). None: 256 generated
            ones, and every file says so.
        validation: labelled images that trained nothing, from which the classifier's "unsure" margin is chosen. None:
            it answers every image.
        error_rate: in (0, 1), what the answers given should stay below.
        class_names: one for each output, in order; may be left out.
        command: what to type to make the files again, without machine paths; the files quote it.
        symbol: the array's C identifier.
        keras_model: the quantization-aware Keras model that `model` was converted from, to be compared with it.
        images_are_real: False where the given images were generated; the files say so.
        expect_unit_input: refuse a model whose input is not `uint8 ^ 0x80`; otherwise the files carry a warning.
        name: what error messages call the model.
        target: refuse a model that does not fit this part.
        formats: build systems (`build_systems.FORMATS`) whose metadata go along.
        engine: whose files to write, one of `rows.export.ENGINES`.
        engine_prefix: what the row engine's names and files begin with.
        force: overwrite files that no export has written.
        progress: called as the work goes on.

    Raises:
        UserError: the model cannot run on a microcontroller, its kernels or its Keras model disagree, the text does not
            compile, an argument does not fit, or the folder holds somebody else's files. Nothing is written then.
        OSError: the folder cannot be written; what was there is put back.
    """
    tell = progress or (lambda stage, done, total: None)
    sandbox.check(model, name)
    graph = reader.read(model, name)
    reader.check_deployable(graph)
    if expect_unit_input:
        convert.check_unit_input(graph)
    check_symbol(symbol)
    check_class_names(class_names, graph)
    build_systems.check_formats(formats)
    naming.check_prefix(engine_prefix)
    folder.check(out_dir)
    if validation is not None:
        _check_validation(validation, graph, error_rate)
    codes = _codes(graph, images)
    images_are_real = images_are_real and images is not None

    tell("arena", 0, 1)
    found = arena.find(model, graph)
    tell("arena", 1, 1)
    rows = _compile_rows(found.model, command, name, engine, engine_prefix)
    # TFLM refuses to keep every tensor of a model that carries a plan.
    unplanned = offline_plan.without_offline_plan(model)
    parity = kernel_parity.check_kernels(unplanned, graph, codes, lambda done, total: tell("images", done, total))
    kernel_parity.check_least_arena(
        found.model, found.least_bytes, codes[:_ARENA_IMAGES], parity.outputs[:_ARENA_IMAGES]
    )
    keras = _keras_parity(keras_model, unplanned, graph, codes, parity.outputs)
    unsure = abstention.ALWAYS_ANSWERS
    if validation is not None:
        answers = interpreters.predict_int8(model, validation[0])
        difference = abstention.largest_difference(interpreters.predict_int8(model, codes), parity.outputs)
        unsure = abstention.choose(answers, validation[1], error_rate, difference)

    facts = ModelFacts(
        graph=graph,
        arena=found,
        given_sha256=hashlib.sha256(model).hexdigest(),
        command=command,
        symbol=symbol,
        class_names=tuple(class_names),
        verified_images=parity.images,
        images_are_real=images_are_real,
        parity=_sentence(parity, keras),
    )
    golden = golden_vectors(found.model, graph, codes, outputs=parity.outputs)
    texts: dict[str, str] = {}
    compiled_with = rows_report = None
    tell("compile", 0, 1)
    if engine != "rows":
        texts |= model_data.render(facts) | integrity.render(facts, golden) | classifier.render(facts, unsure)
        compiled_with = read_back.check_array(texts, symbol, found.model)
    if rows is not None and engine != "tflm":
        row_texts, rows_report = row_engine.files(rows, facts, golden, codes, parity.outputs)
        texts |= row_texts
    tell("compile", 1, 1)
    needs = {
        "model_bytes": len(found.model),
        "code_bytes": fitting.code_bytes(graph.operator_names) + len(golden.content),
        "arena_bytes": found.bytes_with_margin,
    }
    operators = len(graph.operators)
    if target is not None:
        rows_fit = None if rows is None else fitting.fit_rows(target, rows=rows.report, operators=operators)
        if engine != "rows":
            fitting.check_fits(fitting.fit(target, **needs), rows_fit)
        if engine != "tflm" and rows_fit is not None:
            fitting.check_fits(rows_fit)
    metadata = build_systems.render(formats, build_systems.library(facts, texts, engine_prefix))
    contents: dict[str, str | bytes] = {**texts, **metadata, "model.tflite": found.model}
    names = tuple(sorted({folder.REPORT_FILE, fitting_report.FILE, *contents}))
    if not force:
        folder.check_foreign(out_dir, names)
    done = report.make(
        facts,
        parity=parity,
        keras=keras,
        golden=golden.summary,
        unsure=unsure,
        compiled_with=compiled_with,
        files=names,
        parts=fitting.table(**needs, rows=None if rows is None else rows.report, operators=operators),
        rows=rows_report,
    )
    contents[folder.REPORT_FILE] = files.as_json(asdict(done))
    contents[fitting_report.FILE] = fitting_report.render(done)
    folder.publish(out_dir, contents)
    return done


def _compile_rows(model: bytes, command: str, name: str, engine: str, prefix: str) -> RowsModel | None:
    """The model in the row engine, also where it is only to be weighed; None where that does not take it."""
    try:
        return compile_rows(model, command, name, prefix)
    except UserError:
        if engine != "tflm":
            raise
        return None


def _check_validation(validation: LabelledImages, graph: Graph, error_rate: float) -> None:
    images, labels = validation
    _check_images(images, graph)
    classes = graph.outputs[0].size
    if not 0 < error_rate < 1:
        raise UserError(f"error rate {error_rate:g}, a number between 0 and 1 expected: such as {defaults.ERROR_RATE}")
    if classes < 2:
        raise UserError(f"the model has {classes} output, a margin needs 2 or more: give no validation images")
    if len(images) != len(labels) or len(labels) == 0 or not ((labels >= 0) & (labels < classes)).all():
        span = f" from {labels.min()} to {labels.max()}" if len(labels) else ""
        raise UserError(
            f"{len(labels)} labels{span} for {len(images)} validation images of {classes} classes: give each image its "
            "class, counted from 0"
        )


def _codes(graph: Graph, images: np.ndarray | None) -> np.ndarray:
    shape = graph.inputs[0].shape[1:]
    if images is None:
        generated = generated_images(shape, defaults.LEAST_IMAGES)
        if not graph.has_unit_input:  # its real values mean something else than pixels: let the codes span their range
            generated = (generated ^ np.uint8(0x80)).view(np.int8)
        return interpreters.quantize_input(generated, graph)
    _check_images(images, graph)
    if len(images) < defaults.LEAST_IMAGES:
        raise UserError(
            f"{len(images)} images, at least {defaults.LEAST_IMAGES} needed: give more, or none to use generated ones"
        )
    return interpreters.quantize_input(images, graph)


def _check_images(images: np.ndarray, graph: Graph) -> None:
    shape = graph.inputs[0].shape[1:]
    if images.dtype not in (np.uint8, np.int8) or images.shape[1:] != shape:
        expected = ", ".join(map(str, ("N", *shape)))
        raise UserError(f"images are {images.dtype} {list(images.shape)}, uint8 [{expected}] expected: resize them")


def _keras_parity(
    keras_model: Any, model: bytes, graph: Graph, codes: np.ndarray, outputs: np.ndarray
) -> KerasParity | None:
    if keras_model is None:
        return None
    if not convert.is_quantization_aware(keras_model):
        raise UserError(
            f"Keras model {keras_model.name!r} is not quantization-aware, so its outputs are not comparable step by "
            "step: give the quantization-aware one, or none"
        )
    return check_keras(keras_model, model, graph, codes, outputs)


def _sentence(parity: kernel_parity.KernelParity, keras: KerasParity | None) -> str:
    differing = sum(tensor.differing for tensor in parity.tensors)
    elements = sum(tensor.elements for tensor in parity.tensors)
    text = (
        f"TensorFlow Lite Micro and TFLite's reference kernels agree bit for bit in all {len(parity.tensors)} tensors "
        f"({elements} values)"
    )
    text += f", save {differing} FULLY_CONNECTED outputs that are one step off" if differing else ""
    if keras is not None:
        text += (
            f"; the quantization-aware Keras model agrees within {max(1, keras.largest_difference)} output steps (of "
            f"{keras.elements} outputs {keras.differing} are off, {keras.beyond_one_step} by more than one) and in the "
            f"class, save {keras.class_changes} images whose two best classes lie that close"
        )
    return text
