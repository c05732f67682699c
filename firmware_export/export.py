"""One model, verified, as a folder that firmware builds from."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export import (
    build_systems,
    compiler,
    convert,
    cpp_classifier,
    defaults,
    files,
    flatbuffer,
    folder,
    integrity,
    model_data,
    oracle,
    targets,
    verify,
)
from firmware_export import images as image_files
from firmware_export.errors import UserError
from firmware_export.flatbuffer import Graph
from firmware_export.keras_parity import KerasParity, check_keras
from firmware_export.model_data import ModelFacts
from firmware_export.rows import export as row_engine
from firmware_export.rows.render import compile_rows
from firmware_export.targets import Target

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, done, total)."""

_ARENA_IMAGES = 16
"""How many images also run in the least arena; memory shared wrongly shows on the first."""


@dataclass(frozen=True)
class ExportReport:
    """What was exported and what is known about it; `export.json` holds the same."""

    command: str
    version: str
    symbol: str
    sha256: str
    crc32: str
    flash_bytes: int
    """The model's, which is all that the array adds to flash; kernels come on top."""
    arena_bytes: int
    """The least with which TFLM prepares the model on this 64-bit host."""
    arena_bytes_with_margin: int
    arena_margin_rule: str
    macs: int
    parameters: int
    operators: dict[str, int]
    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    has_unit_input: bool
    """Whether firmware feeds `pixel ^ 0x80`; otherwise it must quantize its input itself."""
    output_shape: tuple[int, ...]
    output_scale: float
    output_zero_point: int
    class_names: tuple[str, ...]
    verified_images: int
    images_are_real: bool
    kernel_parity: tuple[dict[str, Any], ...]
    """For each operator's output: elements compared, how many differ between TFLM and TFLite's reference kernels."""
    keras_parity: dict[str, int] | None
    compiled_with: str | None
    """None: no C++ compiler was found, and the array was read back from its text alone; or no array was asked for."""
    files: tuple[str, ...]
    targets: tuple[dict[str, Any], ...]
    """What each known part has and what is needed of it, in bytes; code is an estimate (`targets.CODE_BYTES`)."""
    rows: dict[str, Any] | None
    """What the row engine needs (`rows.render.RowsReport`); None where its files were not asked for."""


def export(
    model: bytes,
    out_dir: Path,
    *,
    images: np.ndarray | None,
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
    force: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Verify an int8 model and write the folder that firmware builds from.

    `model_data.cc/.h`, `model_ops.h`, `integrity.cc/.h`, `golden_vectors.cc/.h` and `classifier.cc/.h` for TensorFlow
    Lite Micro, `satkd_model.c/.h` and `satkd_golden.c/.h` for the row engine; `model.tflite` and `export.json`.

    Everything is rendered, executed, compared and compiled first; then all files appear, or none.

    Args:
        model: the bytes of an int8 `.tflite`.
        out_dir: made if missing; other files in it are left alone.
        images: uint8 [N, …input shape without the batch], N ≥ 256 (or int8: the model's codes). None: 256 generated
            ones, and every file says so.
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
        force: overwrite files that no export has written.
        progress: called as the work goes on.

    Raises:
        UserError: the model cannot run on a microcontroller, its kernels or its Keras model disagree, the text does not
            compile, an argument does not fit, or the folder holds somebody else's files. Nothing is written then.
        OSError: the folder cannot be written; what was there is put back.
    """
    tell = progress or (lambda stage, done, total: None)
    graph = flatbuffer.read(model, name)
    flatbuffer.check_deployable(graph)
    if expect_unit_input:
        convert.check_unit_input(graph)
    model_data.check_symbol(symbol)
    model_data.check_class_names(class_names, graph)
    build_systems.check_formats(formats)
    folder.check(out_dir)
    rows = None if engine == "tflm" else compile_rows(model, command, name)
    codes = _codes(graph, images)
    images_are_real = images_are_real and images is not None

    tell("arena", 0, 1)
    arena = oracle.least_arena(model)
    tell("arena", 1, 1)
    parity = verify.check_kernels(model, graph, codes, lambda done, total: tell("images", done, total))
    verify.check_least_arena(model, arena, codes[:_ARENA_IMAGES], parity.outputs[:_ARENA_IMAGES])
    keras = _keras_parity(keras_model, model, graph, codes, parity.outputs)
    margin, margin_rule = arena_margin(graph, arena)

    facts = ModelFacts(
        model=model,
        graph=graph,
        command=command,
        symbol=symbol,
        class_names=tuple(class_names),
        arena_bytes=arena,
        arena_margin=margin,
        margin_rule=margin_rule,
        verified_images=parity.images,
        images_are_real=images_are_real,
        parity=_sentence(parity, keras),
    )
    golden = integrity.golden_vectors(model, graph, codes, outputs=parity.outputs)
    texts: dict[str, str] = {}
    compiled_with = rows_report = None
    tell("compile", 0, 1)
    if engine != "rows":
        texts |= (
            model_data.render(facts)
            | integrity.render(facts, golden)
            | cpp_classifier.render(facts, cpp_classifier.Unsure())
        )
        compiled_with = compiler.check_array(texts, symbol, model)
    if rows is not None:
        row_texts, rows_report = row_engine.files(rows, facts, golden, codes, parity.outputs)
        texts |= row_texts
    tell("compile", 1, 1)
    needs = {
        "model_bytes": len(model),
        "code_bytes": targets.code_bytes(graph.operator_names) + len(golden.content),
        "arena_bytes": arena + margin,
    }
    if target is not None:
        targets.check_fits(targets.fit(target, **needs))
    contents = {**texts, **build_systems.render(formats, build_systems.library(facts, texts)), "model.tflite": model}
    names = tuple(sorted({folder.REPORT_FILE, *contents}))
    if not force:
        folder.check_foreign(out_dir, names)
    report = _report(facts, parity, keras, compiled_with, names, targets.table(**needs), rows_report)
    folder.publish(out_dir, {**contents, folder.REPORT_FILE: files.as_json(asdict(report))})
    return report


def arena_margin(graph: Graph, arena: int) -> tuple[int, str]:
    """What to add to the least arena, and the rule in words.

    Args:
        graph: the model.
        arena: bytes, as `oracle.least_arena` found them.

    Returns:
        Bytes, a multiple of 16, and why that many. A sixteenth covers differences between TFLM versions and parts; a
        small model's sixteenth would not cover CMSIS-NN's scratch buffer, which unfolds two output positions'
        windows of a convolution into 16-bit values (`arm_convolve_s8_get_buffer_size`).
    """
    sixteenth, scratch = arena // 16, 4 * max((_window(o) for o in graph.operators), default=0)
    margin = -(-max(sixteenth, scratch) // oracle.ARENA_STEP) * oracle.ARENA_STEP
    return margin, "the larger of 1/16 and two windows of the widest convolution in 16 bits, rounded up to 16 bytes"


def _window(operator: flatbuffer.Operator) -> int:
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    weights = operator.inputs[1]
    return weights.size // weights.shape[0]


def _codes(graph: Graph, images: np.ndarray | None) -> np.ndarray:
    shape = graph.inputs[0].shape[1:]
    if images is None:
        generated = image_files.generated_images(shape, defaults.LEAST_IMAGES)
        if not graph.has_unit_input:  # its real values mean something else than pixels: let the codes span their range
            generated = (generated ^ np.uint8(0x80)).view(np.int8)
        return oracle.quantize_input(generated, graph)
    if images.dtype not in (np.uint8, np.int8) or images.shape[1:] != shape:
        expected = ", ".join(map(str, ("N", *shape)))
        raise UserError(f"images are {images.dtype} {list(images.shape)}, uint8 [{expected}] expected: resize them")
    if len(images) < defaults.LEAST_IMAGES:
        raise UserError(
            f"{len(images)} images, at least {defaults.LEAST_IMAGES} needed: give more, or none to use generated ones"
        )
    return oracle.quantize_input(images, graph)


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


def _sentence(parity: verify.KernelParity, keras: KerasParity | None) -> str:
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


def _report(
    facts: ModelFacts,
    parity: verify.KernelParity,
    keras: KerasParity | None,
    compiled_with: str | None,
    names: tuple[str, ...],
    parts: list[dict[str, Any]],
    rows: dict[str, Any] | None,
) -> ExportReport:
    graph = facts.graph
    source, sink = graph.inputs[0], graph.outputs[0]
    return ExportReport(
        command=facts.command,
        version=model_data.package_version(),
        symbol=facts.symbol,
        sha256=facts.sha256,
        crc32=f"0x{facts.crc32:08x}",
        flash_bytes=len(facts.model),
        arena_bytes=facts.arena_bytes,
        arena_bytes_with_margin=facts.arena_bytes + facts.arena_margin,
        arena_margin_rule=facts.margin_rule,
        macs=graph.macs,
        parameters=graph.parameters,
        operators=graph.operator_counts,
        input_shape=source.shape,
        input_scale=source.scale,
        input_zero_point=source.zero_point,
        has_unit_input=graph.has_unit_input,
        output_shape=sink.shape,
        output_scale=sink.scale,
        output_zero_point=sink.zero_point,
        class_names=facts.class_names,
        verified_images=facts.verified_images,
        images_are_real=facts.images_are_real,
        kernel_parity=tuple(map(asdict, parity.tensors)),
        keras_parity=None if keras is None else asdict(keras),
        compiled_with=compiled_with,
        files=names,
        targets=tuple(parts),
        rows=rows,
    )
