"""The model as a C++ array, the facts about it, and its operators."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from firmware_export.common.c_text import as_comment, c_string, hex_lines, namespace, paragraph
from firmware_export.common.templating import render_template
from firmware_export.facts import ModelFacts, package_version
from firmware_export.tflite import input_range
from firmware_export.tflite.graph import Graph, Tensor
from firmware_export.tflite.tflm_operators import int8_operators, resolver_method


def render(facts: ModelFacts) -> dict[str, str]:
    """The generated files, by name: `model_data.cc`, `model_data.h` and `model_ops.h`."""
    return render_with(facts, ("model_data.cc", "model_data.h", "model_ops.h"), {})


def render_with(facts: ModelFacts, names: Sequence[str], more: Mapping[str, Any]) -> dict[str, str]:
    """Render templates with the facts about a model.

    Args:
        facts: about the model.
        names: the templates, which are also the names of the files.
        more: additional variables of these templates.

    Returns:
        Text by file name.
    """
    context = {**_context(facts), **more}
    return {name: render_template(f"tflm/{name}", {**context, "guard": _guard(facts.symbol, name)}) for name in names}


def render_read_back(symbol: str) -> str:
    """A C++ program that writes the array linked to it to standard output; exit code 3 if the array is misaligned."""
    return render_template("tflm/read_back.cc", {"symbol": symbol})


def _context(facts: ModelFacts) -> dict[str, Any]:
    graph = facts.graph
    return {
        **vars(facts),
        "command": as_comment(facts.command),
        "version": package_version(),
        "size": facts.model.size,
        "sha256": facts.model.sha256,
        "crc32": facts.model.crc32,
        "has_unit_input": graph.has_unit_input,
        "paragraphs": [paragraph(text) for text in _paragraphs(facts)],
        "input": _end(graph.inputs[0]),
        "output": _end(graph.outputs[0]),
        "further_ends": _further(graph),
        "changes": [paragraph(text) for text in facts.changes],
        "input_values": _input_values(graph),
        "arena_bytes_with_margin": facts.arena.bytes_with_margin,
        "class_names": [c_string(name) for name in facts.class_names],
        "namespace": namespace(facts.symbol),
        "methods": [(resolver_method(name), name) for name in graph.operator_names],
        "int8_operators": int8_operators(graph.operators),
        "lines": hex_lines(facts.model.content),
    }


def _paragraphs(facts: ModelFacts) -> list[str]:
    counts, needed = facts.graph.operator_counts.items(), facts.arena
    kind = "images" if facts.images_are_real else "GENERATED images (no real ones were given)"
    plan = (
        "Memory plan: the export added one to the model (OfflineMemoryAllocation). The original model (SHA-256 "
        f"{facts.given_sha256}) needs {needed.given_bytes} bytes of arena and computes the same outputs."
    )
    return [
        "Operators: " + ", ".join(f"{name} x{count}" for name, count in counts) + ".",
        *([plan] if needed.has_our_plan else []),
        f"Arena: TensorFlow Lite Micro's reference kernels need {needed.least_bytes} bytes on a 64-bit host, found by "
        "bisection (16 bytes less fails). This includes memory that kernels allocate only while they are prepared. "
        "32-bit pointers need slightly less (201796 instead of 203396 bytes for a ResNet8); optimized kernels such as "
        f"CMSIS-NN need additional scratch memory, for which kArenaBytes adds {needed.margin_bytes} bytes: "
        f"{needed.margin_rule}.",
        f"Verified on {facts.verified_images} {kind}: {facts.parity}.",
    ]


def _end(tensor: Tensor) -> dict[str, Any]:
    scale = f"{tensor.scale:.9g}"  # nine digits identify every float32 exactly
    if not set(scale) & set(".e"):
        scale += ".0"
    return {"shape": tensor.shape, "scale": scale + "f", "zero_point": tensor.zero_point}


def _further(graph: Graph) -> list[dict[str, Any]]:
    """All inputs and outputs but the first of each, counted from 2."""
    ends = [("Input", graph.inputs), ("Output", graph.outputs)]
    return [{"name": f"{kind}{i}", **_end(end)} for kind, all_ends in ends for i, end in enumerate(all_ends[1:], 2)]


def _input_values(graph: Graph) -> str:
    """What the input's codes stand for, if they are flipped pixels."""
    if graph.input_range == input_range.DEFAULT:
        return "pixel / 255 with scale 1/255 and zero point -128"
    tensor = graph.inputs[0]
    return f"pixels in {graph.input_range} with scale {tensor.scale:.9g} and zero point {tensor.zero_point}"


def _guard(symbol: str, file_name: str) -> str:
    return re.sub(r"_+", "_", f"{namespace(symbol)}_{file_name}_".upper().replace(".", "_"))
