"""The C++ class that firmware calls: it ties model, operators, integrity and golden vectors to the interpreter."""

from firmware_export.common.c_text import namespace, paragraph
from firmware_export.facts import ModelFacts
from firmware_export.tflm import model_data
from firmware_export.verify.abstention import Abstention

_BY_NAME = "classifier_by_name.h"

FILES = ("classifier.cc", "classifier.h")
"""What `render` makes under the same name for every model; beside them is `header`."""


def header(symbol: str) -> str:
    """The header by which a firmware with several models tells their classifiers apart.

    >>> header("g_student_model_data")
    'student_model_classifier.h'
    """
    return f"{namespace(symbol)}_classifier.h"


def render(facts: ModelFacts, abstention: Abstention) -> dict[str, str]:
    """The generated files, by name: `classifier.h/.cc` and `header`.

    They need the model's, the integrity's and the golden files.

    Args:
        facts: as for `model_data.render`.
        abstention: below which threshold the classifier abstains.
    """
    graph = facts.graph
    more = {
        "classifier_paragraphs": [paragraph(abstention.reason)],
        "input_bytes": graph.inputs[0].size,
        "outputs": graph.outputs[0].size,
        "least_margin": abstention.threshold,
    }
    texts = model_data.render_with(facts, (*FILES, _BY_NAME), more)
    texts[header(facts.symbol)] = texts.pop(_BY_NAME)
    return texts
