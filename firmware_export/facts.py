"""The facts about a model that the generated files state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import firmware_export
from firmware_export.common.errors import UserError
from firmware_export.common.files import encoded
from firmware_export.tflite.graph import Graph

if TYPE_CHECKING:  # these import numpy, which a help text does not need
    from firmware_export.memory.arena import Arena
    from firmware_export.tflite.model import Model


@dataclass(frozen=True)
class ModelFacts:
    """Everything that the generated text states about a model."""

    arena: "Arena"
    """The arena, with the exported model."""
    given_sha256: str
    """SHA-256 of the input model; differs from the exported model's if the export added a memory plan."""
    command: str
    symbol: str
    class_names: tuple[str, ...]
    verified_images: int
    images_are_real: bool
    parity: str
    """One sentence that states what was compared, and the result."""
    changes: tuple[str, ...] = ()
    """What distinguishes the exported model from the input model, one sentence each; a memory plan apart."""
    scaling_file: str | None = None
    """The header that makes pixels of raw samples; None if there is none."""

    @property
    def model(self) -> "Model":
        """The exported model."""
        return self.arena.model

    @property
    def graph(self) -> Graph:
        """The graph of the exported model; a memory plan does not change it."""
        return self.model.graph


def check_class_names(class_names: Sequence[str], graph: Graph) -> None:
    """Refuse class names that do not match the model's output.

    Raises:
        UserError: the number of names differs from the number of outputs, or a name is empty, repeated or not UTF-8.
    """
    if not class_names:
        return
    if len(graph.outputs) > 1:
        raise UserError(f"class names for {len(graph.outputs)} outputs: leave them out, they are for a classifier")
    classes = graph.outputs[0].shape[-1] if graph.outputs[0].shape else 1
    if classes == 1:
        raise UserError(f"{len(class_names)} class names for one output: end the model in an output for each class")
    if len(class_names) != classes:
        raise UserError(f"{len(class_names)} class names for {classes} outputs: give one name per output, in order")
    invalid = [name for name in class_names if not name.strip() or list(class_names).count(name) > 1]
    if invalid:
        raise UserError(f"class name {invalid[0]!r} is empty or given twice: give each class its own name")
    encoded("\n".join(class_names), "class names")


def package_version() -> str:
    """The version of the distribution that contains this package, valid as a PEP 440 and as a semantic version."""
    return firmware_export.__version__
