"""The files that a firmware tree gets: the model as a C++ array, what is known about it, and its operators."""

import hashlib
import re
import textwrap
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import firmware_export
from firmware_export import defaults
from firmware_export.errors import UserError
from firmware_export.graph import Graph, Tensor
from firmware_export.operators import resolver_method
from firmware_export.rendering import render_template

if TYPE_CHECKING:  # it brings numpy, which `python -m firmware_export.run --help` does without
    from firmware_export.arena import Arena

_BYTES_A_LINE = 12  # as TFLM's own generated arrays have it

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await
co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
double dynamic_cast else enum explicit export extern false float for friend goto if inline int long main mutable
namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
requires return short signed sizeof static static_assert static_cast std struct switch template tflite this
thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
xor_eq
"""
_RESERVED = frozenset(_KEYWORDS.split())


@dataclass(frozen=True)
class ModelFacts:
    """Everything the generated text says about a model."""

    graph: Graph
    arena: "Arena"
    """With the model that is shipped."""
    given_sha256: str
    """Of the model as it was given; another than the shipped one's where that carries a memory plan of ours."""
    command: str
    symbol: str
    class_names: tuple[str, ...]
    verified_images: int
    images_are_real: bool
    parity: str
    """One sentence on what was compared with what."""

    @property
    def model(self) -> bytes:
        """What is shipped."""
        return self.arena.model

    @property
    def sha256(self) -> str:
        """Of the model's bytes, in lower-case hexadecimal."""
        return hashlib.sha256(self.model).hexdigest()

    @property
    def crc32(self) -> int:
        """zlib's CRC-32 of the model's bytes."""
        return zlib.crc32(self.model)


def render(facts: ModelFacts) -> dict[str, str]:
    """The generated files, by name: `model_data.cc`, `model_data.h` and `model_ops.h`."""
    return render_with(facts, ("model_data.cc", "model_data.h", "model_ops.h"), {})


def render_with(facts: ModelFacts, names: Sequence[str], more: Mapping[str, Any]) -> dict[str, str]:
    """Templates filled with what is known about a model.

    Args:
        facts: about the model.
        names: of the templates, which are those of the files.
        more: what these templates need besides.

    Returns:
        Text by file name.
    """
    context = {**_context(facts), **more}
    return {name: render_template(name, {**context, "guard": _guard(facts.symbol, name)}) for name in names}


def render_read_back(symbol: str) -> str:
    """A program that writes the array it is linked with to standard output; exit code 3 if it is misaligned."""
    return render_template("read_back.cc", {"symbol": symbol})


def check_symbol(symbol: str) -> None:
    """Refuse a name that no C++ variable can have.

    Raises:
        UserError: no C identifier, a keyword, or reserved for the compiler.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", symbol) or symbol in _RESERVED:
        raise UserError(f"symbol {symbol!r} is no C identifier: give letters, digits and _, such as {defaults.SYMBOL}")
    if symbol.startswith("_") or "__" in symbol:
        raise UserError(f"symbol {symbol!r} is reserved for the compiler: drop the leading or double underscore")


def check_class_names(class_names: Sequence[str], graph: Graph) -> None:
    """Refuse a list of names that does not fit the model's output.

    Raises:
        UserError: another number of names than the output has values, or an empty or repeated name.
    """
    if not class_names:
        return
    classes = graph.outputs[0].shape[-1] if graph.outputs[0].shape else 1
    if len(class_names) != classes:
        raise UserError(f"{len(class_names)} class names for {classes} outputs: give one name for each, in order")
    odd = [name for name in class_names if not name.strip() or list(class_names).count(name) > 1]
    if odd:
        raise UserError(f"class name {odd[0]!r} is empty or given twice: give each class its own name")


def package_version() -> str:
    """The version of the distribution that holds this package, installed or not; PEP 440 and semantic alike."""
    return firmware_export.__version__


def namespace(symbol: str) -> str:
    """The namespace beside the array.

    >>> namespace("g_student_model_data"), namespace("weights")
    ('student_model', 'weights_info')
    """
    stem = symbol.removeprefix("g_").removesuffix("_data")
    usable = stem != symbol and stem not in _RESERVED and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", stem)
    return stem if usable else symbol + "_info"


def c_string(text: str) -> str:
    r"""A C string literal; every byte outside printable ASCII in octal, which no following digit can prolong.

    >>> print(c_string('say "é"'))
    "say \"\303\251\""
    """
    return '"' + "".join(_escaped(byte) for byte in text.encode()) + '"'


def _escaped(byte: int) -> str:
    character = chr(byte)
    if character in '"\\?':  # ?: trigraphs, where a compiler still has them
        return "\\" + character
    return character if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def hex_lines(content: bytes) -> Iterator[str]:
    """The bytes as C literals, twelve a line, without the last comma.

    >>> list(hex_lines(bytes(range(9, 23))))[-1]
    '0x15, 0x16'
    """
    for start in range(0, len(content), _BYTES_A_LINE):
        yield ", ".join(f"0x{byte:02x}" for byte in content[start : start + _BYTES_A_LINE])


def _context(facts: ModelFacts) -> dict[str, Any]:
    graph = facts.graph
    return {
        **vars(facts),
        "command": _comment(facts.command),
        "version": package_version(),
        "size": len(facts.model),
        "sha256": facts.sha256,
        "crc32": facts.crc32,
        "has_unit_input": graph.has_unit_input,
        "paragraphs": [paragraph(text) for text in _paragraphs(facts)],
        "input": _end(graph.inputs[0]),
        "output": _end(graph.outputs[0]),
        "arena_bytes_with_margin": facts.arena.bytes_with_margin,
        "class_names": [c_string(name) for name in facts.class_names],
        "namespace": namespace(facts.symbol),
        "methods": [resolver_method(name) for name in graph.operator_names],
        "lines": hex_lines(facts.model),
    }


def _paragraphs(facts: ModelFacts) -> list[str]:
    counts, needed = facts.graph.operator_counts.items(), facts.arena
    kind = "images" if facts.images_are_real else "GENERATED images (no real ones were given)"
    plan = (
        "Memory plan: the model carries one (OfflineMemoryAllocation), computed for it here. As it was given (SHA-256 "
        f"{facts.given_sha256}) it needs {needed.given_bytes} bytes of arena; its answers are the same."
    )
    return [
        "Operators: " + ", ".join(f"{name} x{count}" for name, count in counts) + ".",
        *([plan] if needed.has_our_plan else []),
        f"Arena: TensorFlow Lite Micro's reference kernels need {needed.least_bytes} bytes on a 64-bit host, found by "
        "bisection (16 bytes less fails), which includes what kernels allocate only while they are prepared. 32-bit "
        "pointers take slightly less (201796 against 203396 bytes for a ResNet8); optimized kernels such as CMSIS-NN "
        f"ask for scratch memory of their own. kArenaBytes adds {needed.margin_bytes} bytes for them: "
        f"{needed.margin_rule}.",
        f"Verified on {facts.verified_images} {kind}: {facts.parity}.",
    ]


def paragraph(text: str) -> str:
    """`text` as a C++ comment of lines that fit a page; what could end the comment is taken out."""
    return textwrap.fill(_comment(text), 100, initial_indent="// ", subsequent_indent="//   ", break_long_words=False)


def _end(tensor: Tensor) -> dict[str, Any]:
    scale = f"{tensor.scale:.9g}"  # nine digits give every float back exactly
    if not set(scale) & set(".e"):
        scale += ".0"
    return {"shape": tensor.shape, "scale": scale + "f", "zero_point": tensor.zero_point}


def _comment(text: str) -> str:
    # A line break would end a // comment, and a backslash at its end would swallow the next line.
    return "".join(c if c.isprintable() and c != "\\" else "?" for c in text)


def _guard(symbol: str, file_name: str) -> str:
    return re.sub(r"_+", "_", f"{namespace(symbol)}_{file_name}_".upper().replace(".", "_"))
