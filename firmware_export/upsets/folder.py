"""What the campaign reads of an exported folder: its report, its images, and its model."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.board import check_programs
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text
from firmware_export.common.paths import shortened
from firmware_export.tflite import reader
from firmware_export.tflite.graph import Graph

IMAGES = 32
"""Number of images that are taken of a given set."""
_ARRAY = r"olden_?[iI]nputs\[[^=]*= \{(.*?)\n\};", r"olden_?[oO]utputs\[[^=]*= \{(.*?)\n\};"


@dataclass(frozen=True, eq=False)
class Exported:
    """An exported folder that can be injected into."""

    path: Path
    name: str
    """The folder's name, with as many of its parents as distinguish it from the others."""
    report: Mapping[str, Any]
    engines: tuple[Engine, ...]
    inputs: np.ndarray
    """uint8 [N, …] or int8 (the model's codes): images as firmware feeds them."""
    is_golden: bool
    """Whether the inputs are the folder's golden vectors."""

    @property
    def codes(self) -> np.ndarray:
        """The inputs as codes of the model: int8."""
        return self.inputs if self.inputs.dtype == np.int8 else (self.inputs ^ np.uint8(0x80)).view(np.int8)

    @property
    def model(self) -> bytes:
        """The bytes of `model.tflite`.

        Raises:
            UserError: it is missing, or it is not the exported model.
        """
        path = self.path / "model.tflite"
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != self.report["sha256"]:
            raise UserError(f"{str(path)!r} is not the model of export.json: export the model again")
        return content

    @cached_property
    def graph(self) -> Graph:
        """The graph of `model`, with the input range that was given to the export."""
        stated = self.report["input_range"]
        return reader.read(self.model, "model.tflite").with_range(stated).graph


def read_all(paths: Sequence[Path], images: Path | None = None) -> list[Exported]:
    """Read folders; see `read`.

    Raises:
        UserError: a folder is given twice, or cannot be read.
    """
    resolved = [path.resolve() for path in paths]
    for path, real in zip(paths, resolved, strict=True):
        if resolved.count(real) > 1:
            raise UserError(f"folder {str(path)!r} is given twice: give each once")
    return [read(path, shortened(real, resolved), images) for path, real in zip(paths, resolved, strict=True)]


def read(path: Path, name: str, images: Path | None = None) -> Exported:
    """Read a folder.

    Args:
        path: as `python -m firmware_export` writes it.
        name: in the report.
        images: a set of images, of which 32 are taken; None for the folder's golden vectors.

    Raises:
        UserError: not an exported folder, its golden vectors are changed, or the images do not fit.
    """
    engines = check_programs.engines(path)
    report = check_programs.read_report(path)
    for engine in engines:
        check_programs.find(path, engine)
    exported = Exported(path, name, report, engines, _golden(path, report, engines), True)
    if images is None:
        return exported
    return dataclasses.replace(exported, inputs=_given(images, exported), is_golden=False)


def _golden(path: Path, report: Mapping[str, Any], engines: tuple[Engine, ...]) -> np.ndarray:
    engine = engines[-1]
    name = next(name for name in check_programs.find(path, engine).sources if "golden" in name)
    text = read_text(path / name)
    try:
        inputs, outputs = (_values(text, pattern) for pattern in _ARRAY)
        codes = inputs.astype(np.uint8 if report["has_unit_input"] else np.int8)
        content = codes.tobytes() + outputs.astype(np.int8).tobytes()
        found = hashlib.sha256(content).hexdigest() == report["golden_vectors"]["sha256"]
        shape = (report["golden_vectors"]["count"], *report["input_shape"][1:])
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{str(path / name)!r} has no golden vectors: export the model again") from error
    if not found:
        raise UserError(f"{str(path / name)!r} has other golden vectors than export.json: export the model again")
    return codes.reshape(shape)


def _values(text: str, pattern: str) -> np.ndarray:
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        raise ValueError(pattern)
    return np.array([int(word, 0) for word in re.findall(r"-?0x[0-9a-f]+|-?\d+", found[1])], np.int64)


def _given(images: Path, exported: Exported) -> np.ndarray:
    from firmware_export.images import load
    from firmware_export.tflite import interpreters

    loaded = load.load_images(images, exported.graph.inputs[0].shape[1:], IMAGES)
    return interpreters.firmware_input(interpreters.quantize_input(loaded, exported.graph), exported.graph)
