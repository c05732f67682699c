import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.memory.arena import least_bytes
from firmware_export.tflite import interpreters
from firmware_export.tflite.cut import cut_after
from firmware_export.verify import kernel_parity


def test_reference_kernels_agree_in_every_tensor(qat_model, qat_graph, codes):
    parity = kernel_parity.check_kernels(qat_model, codes)
    assert parity.images == 256
    assert [tensor.operator for tensor in parity.tensors] == [operator.name for operator in qat_graph.operators]
    for tensor, operator in zip(parity.tensors, qat_graph.operators, strict=True):
        assert tensor.elements == 256 * operator.outputs[0].size
        assert tensor.largest_difference <= (1 if tensor.operator == "FULLY_CONNECTED" else 0)
    assert np.array_equal(parity.outputs, interpreters.run(qat_model, codes))


def _against(monkeypatch, other):
    """Let the reference kernels run another model than TFLM does."""
    monkeypatch.setattr(kernel_parity, "cut_after", lambda model, names: cut_after(other, names))


@pytest.mark.parametrize(("operator", "position"), [(0, 1), (0, 2), (3, 1), (6, 2)])
def test_a_corrupt_constant_is_found_in_its_layer(
    monkeypatch, qat_model, qat_graph, codes, nudge_constant, operator, position
):
    target = [o for o in qat_graph.operators if o.name == "CONV_2D"][operator % 6]
    _against(monkeypatch, nudge_constant(qat_model, target.index, position, 40 if position == 1 else 4000))
    with pytest.raises(UserError, match=rf"operator {target.index} \(CONV_2D"):
        kernel_parity.check_kernels(qat_model, codes[:4])


def test_another_quantization_is_found_in_its_layer(monkeypatch, qat_model, qat_graph, codes):
    mean = next(operator for operator in qat_graph.operators if operator.name == "MEAN")

    def double_scale(content):
        quantization = content.subgraphs[0].tensors[mean.outputs[0].index].quantization
        quantization.scale = np.asarray(quantization.scale, np.float32) * 2

    _against(monkeypatch, qat_model.edited(double_scale))
    with pytest.raises(UserError, match=rf"operator {mean.index} \(MEAN"):
        kernel_parity.check_kernels(qat_model, codes[:4])


def _bias_of_one_step(graph, operator):
    weights, output = operator.inputs[1], operator.outputs[0]
    return round(output.scale / (operator.inputs[0].scale * max(weights.scales)))


def test_one_step_passes_for_dense_layers_and_two_do_not(monkeypatch, qat_model, qat_graph, codes, nudge_constant):
    dense = qat_graph.operators[-1]
    step = _bias_of_one_step(qat_graph, dense)
    _against(monkeypatch, nudge_constant(qat_model, dense.index, 2, step // 2))
    assert kernel_parity.check_kernels(qat_model, codes[:8]).tensors[-1].largest_difference == 1
    _against(monkeypatch, nudge_constant(qat_model, dense.index, 2, 2 * step))
    with pytest.raises(UserError, match=r"\(FULLY_CONNECTED.*allowed: 1"):
        kernel_parity.check_kernels(qat_model, codes[:8])


def test_one_step_does_not_pass_for_convolutions(monkeypatch, qat_model, qat_graph, codes, nudge_constant):
    _against(monkeypatch, nudge_constant(qat_model, 0, 2, _bias_of_one_step(qat_graph, qat_graph.operators[0])))
    with pytest.raises(UserError, match=r"operator 0 \(CONV_2D.*allowed: 0"):
        kernel_parity.check_kernels(qat_model, codes[:8])


def test_a_step_in_one_dense_layer_does_not_taint_the_next(monkeypatch, autoencoder_model, nudge_constant):
    model, graph = autoencoder_model, autoencoder_model.graph
    first = graph.operators[0]
    _against(monkeypatch, nudge_constant(model, first.index, 2, _bias_of_one_step(graph, first) // 2))
    codes = np.random.default_rng(0).integers(-128, 128, (16, 64)).astype(np.int8)
    parity = kernel_parity.check_kernels(model, codes)
    nudged, *rest = (tensor.differing / tensor.elements for tensor in parity.tensors)
    assert nudged > 0.1
    assert max(rest) < 0.02  # ties alone


def test_outputs_in_the_least_arena(qat_model, codes):
    outputs = interpreters.run(qat_model, codes[:4])
    arena = least_bytes(qat_model)
    kernel_parity.check_least_arena(qat_model, arena, codes[:4], outputs)
    with pytest.raises(UserError, match="outputs for image 0 differ"):
        kernel_parity.check_least_arena(qat_model, arena, codes[:4], outputs + np.int8(1))
