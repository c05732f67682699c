"""What the files of an exported folder say about each topic. Every value is looked up in a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EXPORT = "export.json"
UPSETS = "upsets.json"

Sources = Mapping[str, Any]
"""The content of the JSON files, by name; `UPSETS` is absent if no campaign ran."""


@dataclass(frozen=True)
class Fact:
    """A value of a file.

    Attributes:
        label: what it is.
        file: the name of the JSON file.
        path: the keys that lead to it; `*` stands for every element of a list.
        reduction: how the values of a path with `*` become one: `sum` or `count`.
        value: the value.
    """

    label: str
    file: str
    path: tuple[str | int, ...]
    value: Any
    reduction: str | None = None


@dataclass(frozen=True)
class Missing:
    """What the folder does not prove."""

    label: str
    remedy: str
    """How to obtain it."""


@dataclass(frozen=True)
class Topic:
    """A topic, and what the folder proves about it."""

    name: str
    facts: tuple[Fact, ...]
    missing: tuple[Missing, ...]


def look_up(content: Any, path: tuple[str | int, ...], reduction: str | None = None) -> Any:
    """The value at a path of JSON content.

    >>> look_up({"a": [{"b": 2}, {"b": 3}]}, ("a", "*", "b"), "sum")
    5
    """
    if reduction is not None:
        values = look_up(content, path)
        return len(values) if reduction == "count" else sum(values)
    for at, key in enumerate(path):
        if key == "*":
            return [look_up(each, path[at + 1 :]) for each in content]
        content = content[key]
    return content


def topics(sources: Sources) -> tuple[Topic, ...]:
    """Every topic, in the order of the pack."""
    return tuple(
        make(sources)
        for make in (
            _requirements,
            _memory,
            _stack,
            _timing,
            _parity,
            _golden_vectors,
            _performance,
            _upsets,
            _coding_rules,
            _tools,
        )
    )


class _Facts:
    """Collects the facts of one topic."""

    def __init__(self, sources: Sources, file: str = EXPORT) -> None:
        self._content, self._file = sources[file], file
        self.found: list[Fact] = []

    def add(self, label: str, *path: str | int, reduction: str | None = None) -> "_Facts":
        value = look_up(self._content, path, reduction)
        self.found.append(Fact(label, self._file, path, value, reduction))
        return self


def _topic(name: str, facts: _Facts | None, *missing: Missing) -> Topic:
    return Topic(name, tuple(facts.found) if facts else (), missing)


def _requirements(sources: Sources) -> Topic:
    facts = _Facts(sources)
    for label, key in (("shape of the input", "input_shape"), ("scale of the input", "input_scale")):
        facts.add(label, key)
    facts.add("zero point of the input", "input_zero_point").add("shape of the output", "output_shape")
    facts.add("scale of the output", "output_scale").add("zero point of the output", "output_zero_point")
    facts.add("classes, in order", "class_names").add("multiply-accumulates of an image", "macs")
    remedy = "trace these interfaces to the requirements of your mission"
    return _topic("requirements", facts, Missing("requirements of the mission", remedy))


def _memory(sources: Sources) -> Topic:
    report, facts = sources[EXPORT], _Facts(sources)
    facts.add("model for TensorFlow Lite Micro, bytes", "flash_bytes")
    facts.add("smallest arena on a 64-bit host, bytes", "arena_bytes")
    facts.add("arena with margin, bytes", "arena_bytes_with_margin").add("rule of the margin", "arena_margin_rule")
    if report["rows"]:
        facts.add("row engine: context without scratch memory, bytes", "rows", "context_bytes")
        for kernels in report["rows"]["scratch_bytes"]:
            facts.add(f"row engine: scratch memory of the {kernels} kernels, bytes", "rows", "scratch_bytes", kernels)
        facts.add("row engine: constants, bytes", "rows", "constants_bytes")
    return _topic("memory", facts, Missing("memory of the linked program", "take it from your linker's map file"))


def _is_measured(sources: Sources) -> bool:
    bounds = sources[EXPORT]["bounds"]
    return bounds is not None and bounds["reason"] is None


def _without_bounds(sources: Sources, label: str) -> Missing:
    bounds = sources[EXPORT]["bounds"]
    if bounds is None:
        return Missing(
            label, "not measured for TensorFlow Lite Micro; export with --engine rows, or measure on the part"
        )
    return Missing(label, f"not measured: {bounds['reason']}; then export again")


def _stack(sources: Sources) -> Topic:
    if not _is_measured(sources):
        return _topic("stack", None, _without_bounds(sources, "stack of the functions"))
    facts = _Facts(sources).add("core", "bounds", "core").add("compiler", "bounds", "compiler")
    facts.add("flags", "bounds", "flags")
    for name in sources[EXPORT]["bounds"]["stack_bytes"]:
        facts.add(f"stack of {name}, bytes", "bounds", "stack_bytes", name)
    remedy = (
        "compile with your compiler and flags and -fstack-usage; add the frames of callers and interrupts, and what "
        "the kernels' assembly pushes: 16 bytes with DSP extension, 8 with Helium"
    )
    return _topic("stack", facts, Missing("stack in your build", remedy))


def _timing(sources: Sources) -> Topic:
    on_part = Missing("time on the part", "measure it there: caches, wait states and clock are not emulated")
    if not _is_measured(sources):
        return _topic("timing", None, _without_bounds(sources, "instructions of the functions"), on_part)
    facts = _Facts(sources).add("emulated core", "bounds", "core").add("golden vectors", "bounds", "images")
    for name in sources[EXPORT]["bounds"]["instructions"]:
        facts.add(f"most instructions, {name}", "bounds", "instructions", name, "most")
    proof = Missing(
        "proof of the longest time", "the figures are measured; a static analysis of the worst case is not part"
    )
    return _topic("timing", facts, proof, on_part)


def _parity(sources: Sources) -> Topic:
    report, facts, missing = sources[EXPORT], _Facts(sources), []
    facts.add("images", "verified_images").add("images are real", "images_are_real")
    facts.add(
        "tensors compared between TensorFlow Lite Micro and TFLite", "kernel_parity", "*", "tensor", reduction="count"
    )
    facts.add("values compared", "kernel_parity", "*", "elements", reduction="sum")
    facts.add("values that differ, by one allowed step", "kernel_parity", "*", "differing", reduction="sum")
    if report["dense_scale"]:
        facts.add("version of TensorFlow Lite Micro whose outputs these are", "dense_scale", "statement")
    if not report["images_are_real"]:
        missing.append(Missing("comparison on real images", "give --images"))
    if report["keras_parity"] is None:
        missing.append(Missing("comparison with the trained model", "give the quantization-aware model: --keras"))
    else:
        facts.add("outputs compared with the trained model", "keras_parity", "elements")
        facts.add("of these, outputs that differ", "keras_parity", "differing")
        facts.add("largest difference, steps", "keras_parity", "largest_difference")
    if report["rows"] and report["rows"]["compiled_with"]:
        facts.add("row engine, all outputs equal to TensorFlow Lite Micro's; compiled with", "rows", "compiled_with")
    elif report["rows"]:
        missing.append(Missing("comparison of the row engine", "install a C compiler and export again"))
    return _topic("parity", facts, *missing)


def _golden_vectors(sources: Sources) -> Topic:
    facts = _Facts(sources).add("number", "golden_vectors", "count").add("bytes", "golden_vectors", "bytes")
    facts.add("SHA-256", "golden_vectors", "sha256").add("index of the largest output", "golden_vectors", "classes")
    remedy = "call SelfTest or self_test there; on an emulator: python -m firmware_export.run DIR"
    return _topic("golden vectors", facts, Missing("result on the part", remedy))


def _performance(sources: Sources) -> Topic:
    report, facts, missing = sources[EXPORT], _Facts(sources), []
    facts.add("abstention threshold, codes", "unsure", "least_margin").add("its reason", "unsure", "reason")
    if "accuracy" in report["unsure"]:
        facts.add("labelled validation images", "unsure", "images").add("accuracy on them", "unsure", "accuracy")
        facts.add("highest error rate among answers", "unsure", "error_rate")
        facts.add("confidence of that bound", "unsure", "confidence")
    else:
        missing.append(Missing("accuracy and abstention on labelled images", "give --validation"))
    facts.add("drift monitor", "drift", "reason")
    missing.append(Missing("performance on images of the mission", "test with labelled images of your camera"))
    return _topic("performance", facts, *missing)


def _upsets(sources: Sources) -> Topic:
    command = "python -m firmware_export.upsets DIR --out DIR/upsets, then python -m firmware_export.evidence DIR"
    if UPSETS not in sources:
        return _topic("upsets", None, Missing("upset campaign", f"not run: {command}"))
    report, sha256 = sources[UPSETS], sources[EXPORT]["sha256"]
    found = [i for i, folder in enumerate(report["folders"]) if folder["sha256"] == sha256]
    if not found:
        return _topic("upsets", None, Missing("upset campaign", f"{UPSETS} is of another model: {command}"))
    facts, at = _Facts(sources, UPSETS), found[0]
    facts.add("images", "folders", at, "images").add("confidence of the intervals", "confidence")
    for i, region in enumerate(report["folders"][at]["regions"]):
        name = f"{region['engine']}, {region['region']}"
        facts.add(f"{name}: flips", "folders", at, "regions", i, "injections")
        for outcome in region["outcomes"]:
            facts.add(f"{name}: {outcome}", "folders", at, "regions", i, "outcomes", outcome)
    left_out = [Missing("flips in other memory", reason) for reason in report["folders"][at].get("left_out", ())]
    return _topic(
        "upsets", facts, *left_out, Missing("upset rate of the orbit", "multiply with the figure of your project")
    )


def _coding_rules(sources: Sources) -> Topic:
    facts = None
    if sources[EXPORT]["rows"]:
        facts = _Facts(sources).add("row engine, version", "rows", "engine_version")
        facts.add("row engine, SHA-256", "rows", "engine_sha256")
    remedy = "run yours on the folder; the tests of keras_satkd run cppcheck's MISRA C:2012 addon on the engine"
    return _topic("coding rules", facts, Missing("report of a checker", remedy))


def _tools(sources: Sources) -> Topic:
    report, facts = sources[EXPORT], _Facts(sources)
    facts.add("command", "command").add("keras_satkd", "version").add("model, SHA-256", "sha256")
    facts.add("given model, SHA-256", "given_sha256")
    if report["compiled_with"]:
        facts.add("host's C++ compiler", "compiled_with")
    if report["rows"] and report["rows"]["compiled_with"]:
        facts.add("host's C compiler", "rows", "compiled_with")
    if _is_measured(sources):
        facts.add("cross-compiler", "bounds", "compiler").add("emulator", "bounds", "emulator")
    return _topic("tools", facts, Missing("qualification of tools", "no tool named here is qualified"))
