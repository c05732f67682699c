"""The C++ class that firmware calls: it combines model, operators, integrity, golden vectors and interpreter."""

from firmware_export.common.c_text import namespace, paragraph
from firmware_export.facts import ModelFacts
from firmware_export.tflm import model_data
from firmware_export.verify.abstention import Abstention

_BY_NAME = "classifier_by_name.h"

FILES = ("classifier.cc", "classifier.h")
"""The files of `render` that have the same name for every model; `header` names the other one."""


def header(symbol: str) -> str:
    """The header with a name of its own for each model, for firmware with several models.

    >>> header("g_student_model_data")
    'student_model_classifier.h'
    """
    return f"{namespace(symbol)}_classifier.h"


def render(facts: ModelFacts, abstention: Abstention) -> dict[str, str]:
    """The generated files, by name: `classifier.h/.cc` and `header`.

    They include the files of `model_data` and `integrity`.

    Args:
        facts: as for `model_data.render`.
        abstention: the threshold below which the classifier abstains.
    """
    graph = facts.graph
    more = {
        "classifier_paragraphs": [paragraph(abstention.reason)],
        "input_bytes": graph.inputs[0].size,
        "outputs": graph.outputs[0].size,
        "least_margin": abstention.threshold,
        "scaling_file": facts.scaling_file,
    }
    texts = model_data.render_with(facts, (*FILES, _BY_NAME), more)
    texts[header(facts.symbol)] = texts.pop(_BY_NAME)
    return texts
