"""The C++ class that firmware calls: it ties model, operators, integrity and golden vectors to the interpreter."""

from dataclasses import dataclass

from firmware_export import model_data
from firmware_export.model_data import ModelFacts

FILES = ("classifier.cc", "classifier.h")
"""What `render` makes, sorted."""


@dataclass(frozen=True)
class Unsure:
    """When the classifier answers "unsure".

    Attributes:
        least_margin: in output codes, 0 to 255; 0 always answers.
        reason: one sentence, where the margin comes from.
    """

    least_margin: int = 0
    reason: str = "No labelled validation images were given, so kLeastMargin is 0: every image is answered."


def render(facts: ModelFacts, unsure: Unsure) -> dict[str, str]:
    """The generated files, by name: `classifier.h/.cc`, which need the model's, the integrity's and the golden files.

    Args:
        facts: as for `model_data.render`.
        unsure: margin below which the answer is "unsure".
    """
    graph = facts.graph
    more = {
        "classifier_paragraphs": [model_data.paragraph(unsure.reason)],
        "input_bytes": graph.inputs[0].size,
        "outputs": graph.outputs[0].size,
        "least_margin": unsure.least_margin,
    }
    return model_data.render_with(facts, FILES, more)
