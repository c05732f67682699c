"""Metadata files for firmware build systems.

All of them use the same flat folder, without copies of the sources: CMake and ESP-IDF read the same `CMakeLists.txt`,
Zephyr finds its own through `zephyr/module.yml`, Arduino and PlatformIO compile every source file in the folder.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_export.common.c_text import namespace
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.templating import render_template
from firmware_export.drift import header
from firmware_export.facts import ModelFacts, package_version
from firmware_export.images import scaling_header
from firmware_export.rows import engine
from firmware_export.tflm import classifier

FORMATS: dict[str, dict[str, str]] = {
    "cmake": {"CMakeLists.txt": "build_systems/CMakeLists.txt"},
    "zephyr": {
        "zephyr/module.yml": "build_systems/zephyr_module.yml",
        "zephyr/CMakeLists.txt": "build_systems/zephyr_CMakeLists.txt",
        "zephyr/Kconfig": "build_systems/zephyr_Kconfig",
    },
    "esp-idf": {
        "CMakeLists.txt": "build_systems/CMakeLists.txt",
        "idf_component.yml": "build_systems/idf_component.yml",
    },
    "arduino": {"library.properties": "build_systems/library.properties"},
    "platformio": {"library.json": "build_systems/library.json"},
}
"""For each `--format`: file names, and the template of each."""


@dataclass(frozen=True)
class Library:
    """The content of the metadata: sources for TensorFlow Lite Micro, for the row engine, or for both.

    Attributes:
        name: C identifier, the folder's name in every build system; also the library name of `sources`, if any.
        version: version of the program that wrote the folder, three numbers such as `0.1.0`.
        provenance: one line: program and version, the model's SHA-256, the command.
        sources: files to compile with TensorFlow Lite Micro.
        rows_name: C identifier, the row engine's library name.
        rows_sources: files of the model for the row engine, to compile with any C99 compiler and no other library.
        engine_sources: files of the row engine, which several models share.
        headers: the headers that an application includes.
    """

    name: str
    version: str
    provenance: str
    sources: tuple[str, ...]
    rows_name: str
    rows_sources: tuple[str, ...]
    engine_sources: tuple[str, ...]
    headers: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence that describes the folder."""
        if self.sources and self.rows_sources:
            return "An image classifier for TensorFlow Lite Micro, and in C99, evaluated row by row."
        return _TFLM if self.sources else _ROWS


_TFLM = "An image classifier for TensorFlow Lite Micro."
_ROWS = "An image classifier in C99, evaluated row by row."


def library(facts: ModelFacts, texts: Mapping[str, str], prefix: str) -> Library:
    """The metadata for an export.

    Args:
        facts: about the model.
        texts: the generated files by name; the `.cc` and `.c` files are compiled.
        prefix: of the row engine's names.

    Raises:
        UserError: the export has files for both engines, and symbol and prefix give the same library name.
    """
    sources, c_files = (tuple(name for name in sorted(texts) if name.endswith(end)) for end in (".cc", ".c"))
    engine_sources = tuple(name for name in c_files if name in engine.files())
    rows_sources = tuple(name for name in c_files if name not in engine_sources)
    tflm_name, rows_name = namespace(facts.symbol), f"{prefix}_model"
    if sources and rows_sources and tflm_name.upper() == rows_name.upper():
        raise UserError(
            f"symbol {facts.symbol!r} and engine prefix {prefix!r} both name a library {rows_name}: change one of them"
        )
    version = package_version()
    provenance = f"keras_satkd {version}, model SHA-256 {facts.model.sha256}, made by {facts.command}"
    return Library(
        name=tflm_name if sources else rows_name,
        version=_three_numbers(version),
        # A line break would end the comment that contains this text.
        provenance="".join(c if c.isprintable() else "?" for c in provenance),
        sources=sources,
        rows_name=rows_name,
        rows_sources=rows_sources,
        engine_sources=engine_sources,
        headers=(
            *([_application_header(facts, texts)] if sources else []),
            *([f"{rows_name}.h"] if rows_sources else []),
            *filter(header.is_monitor, texts),
            *filter(scaling_header.is_scaling, texts),
        ),
    )


def _application_header(facts: ModelFacts, texts: Mapping[str, str]) -> str:
    """The header of the classifier, or the model's where it is no classifier."""
    found = classifier.header(facts.symbol)
    return found if found in texts else "model_data.h"


def _three_numbers(version: str) -> str:
    """A version as three numbers, which all these tools accept, made from any Python version.

    >>> _three_numbers("1.2"), _three_numbers("0.1.0.dev3+g12ab"), _three_numbers("(not installed)")
    ('1.2.0', '0.1.0', '0.0.0')
    """
    numbers = re.match(r"\d+(\.\d+)*", version)
    found = numbers[0].split(".")[:3] if numbers else []
    return ".".join([*found, *["0"] * (3 - len(found))])


def check_formats(formats: Sequence[str]) -> None:
    """Refuse an unknown build system.

    Raises:
        UserError: a name is not one of `FORMATS`.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("format", name, FORMATS)


def render(formats: Sequence[str], library: Library) -> dict[str, str]:
    """The files of all `formats`, by name.

    Raises:
        UserError: a name is not one of `FORMATS`.
    """
    check_formats(formats)
    files = {file: template for name in formats for file, template in FORMATS[name].items()}
    context = {**vars(library), "summary": library.summary, "tflm_summary": _TFLM, "rows_summary": _ROWS}
    return {file: render_template(template, context) for file, template in files.items()}
