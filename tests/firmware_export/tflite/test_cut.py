import numpy as np
import pytest

from firmware_export.tflite import interpreters
from firmware_export.tflite.cut import cut_after


def test_nothing_to_cut_leaves_the_bytes(qat_model, qat_graph):
    (piece,) = cut_after(qat_model, {"FULLY_CONNECTED"})  # the last operator: its end is the model's
    assert piece.model is qat_model
    assert piece.inputs == (qat_graph.inputs[0].index,)


@pytest.mark.parametrize("names", [{"MEAN"}, {"ADD"}, {"CONV_2D"}, {"CONV_2D", "ADD", "MEAN"}])
def test_pieces_in_a_row_are_the_whole(qat_model, qat_graph, codes, names):
    pieces = cut_after(qat_model, names)
    assert [o for piece in pieces for o in piece.operators] == list(qat_graph.operators)
    known = {qat_graph.inputs[0].index: codes[:1]}
    for piece in pieces:
        interpreter = interpreters.TfliteInterpreter(piece.model, is_reference=True)
        interpreter.invoke_with({index: known[index] for index in piece.inputs})
        known |= {o.outputs[0].index: interpreter.tensor(o.outputs[0].index) for o in piece.operators}
    whole = interpreters.TfliteInterpreter(qat_model, is_reference=True).invoke(codes[:1])
    assert np.array_equal(known[qat_graph.outputs[0].index], whole)
