"""What each firmware build system wants beside the sources: a few lines of metadata.

One flat folder serves all of them, so that nothing is copied: CMake and ESP-IDF read the same `CMakeLists.txt`, Zephyr
finds its own through `zephyr/module.yml`, Arduino and PlatformIO compile whatever lies in the folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_export import model_data
from firmware_export.errors import unknown_name
from firmware_export.model_data import ModelFacts
from firmware_export.rendering import render_template

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
"""File by template, for every `--format`."""


@dataclass(frozen=True)
class Library:
    """What the metadata say of the folder.

    Attributes:
        name: C identifier, the library's name in every build system.
        version: of the program that made the folder, such as `0.1.0`.
        summary: one sentence.
        provenance: one line, the command and the model's SHA-256.
        sources: the files to be compiled, in the folder itself.
    """

    name: str
    version: str
    summary: str
    provenance: str
    sources: tuple[str, ...]


def library(facts: ModelFacts, texts: Mapping[str, str]) -> Library:
    """What the metadata say of an export.

    Args:
        facts: about the model.
        texts: the generated files by name, of which the `.cc` and `.c` are compiled.
    """
    return Library(
        name=model_data.namespace(facts.symbol),
        version=model_data.package_version(),
        summary="An image classifier for TensorFlow Lite Micro.",
        provenance=f"{facts.command}, model SHA-256 {facts.sha256}",
        sources=tuple(name for name in sorted(texts) if name.endswith((".cc", ".c"))),
    )


def check_formats(formats: Sequence[str]) -> None:
    """Refuse a build system that is not known.

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
    return {file: render_template(template, vars(library)) for file, template in files.items()}
