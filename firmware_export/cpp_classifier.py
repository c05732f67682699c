"""The C++ class that firmware calls: it ties model, operators, integrity and golden vectors to the interpreter."""

from firmware_export import model_data
from firmware_export.margin import Unsure
from firmware_export.model_data import ModelFacts

FILES = ("classifier.cc", "classifier.h")
"""What `render` makes, sorted."""


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
