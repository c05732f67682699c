"""What is known about a model when its files are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import firmware_export
from firmware_export.common.errors import UserError
from firmware_export.tflite.graph import Graph

if TYPE_CHECKING:  # they bring numpy, which commands' help texts do without
    from firmware_export.memory.arena import Arena
    from firmware_export.tflite.model import Model


@dataclass(frozen=True)
class ModelFacts:
    """Everything the generated text says about a model."""

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
    def model(self) -> "Model":
        """What is shipped."""
        return self.arena.model

    @property
    def graph(self) -> Graph:
        """The model's, with or without a memory plan of ours."""
        return self.model.graph


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
