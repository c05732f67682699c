"""Find the layer in which the row engine first differs from TensorFlow Lite Micro."""

from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.rows import verify
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, offline_metadata
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.model import Model

_MOST_IMAGES = 64


def first_differing_layer(model: Model, codes: np.ndarray) -> str:
    """The label of the first operator up to which the model, cut there, differs between the two.

    Found by bisection: once an operator differs, later ones almost always do.

    Args:
        model: that differs.
        codes: int8 [N, …], inputs for which it differs; the first 64 are used.

    Returns:
        The operator's label, or "no single layer" if only the whole model differs.
    """
    few = codes[:_MOST_IMAGES]
    operators = model.graph.operators
    same, different = -1, len(operators)
    while different - same > 1:
        middle = (same + different) // 2
        if _differs(_up_to(model, operators[middle]), few):
            different = middle
        else:
            same = middle
    return operators[different].label if different < len(operators) else "no single layer"


def _up_to(model: Model, last: Operator) -> Model:
    def cut(unpacked: Any) -> None:
        main = unpacked.subgraphs[0]
        main.operators = main.operators[: last.index + 1]
        main.outputs = [last.outputs[0].index]
        unpacked.signatureDefs = None

    return offline_metadata.without_plan(model).edited(cut)


def _differs(model: Model, codes: np.ndarray) -> bool:
    try:
        rows = compile_rows(model, "")
        verify.check_answers(rows, interpreters.firmware_input(codes, model.graph), interpreters.run(model, codes))
    except verify.DifferenceError:
        return True
    except UserError:  # the output of this operator cannot be that of a model
        return False
    return False
