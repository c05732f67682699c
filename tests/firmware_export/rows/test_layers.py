"""Which rows each kind of layer reads and writes in a step."""

import int8_graphs
import pytest
import row_models
from hypothesis import given, settings

from firmware_export.rows.layers import AveragePoolByRow, Mean, Pad, Reshape, Window
from firmware_export.rows.lower import lower
from firmware_export.tflite import reader


def _last(build, shape=(1, 7, 5, 4)):
    return lower(row_models.model(build, shape)).layers[-1]


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(int8_graphs.models())
def test_rows_are_made_in_order_and_all_of_them(content):
    for layer in lower(reader.read(content)).layers:
        begun = [layer.begun(step) for step in range(layer.steps)]
        finished = [layer.finished(step) for step in range(layer.steps)]
        assert begun == sorted(begun)
        assert finished == sorted(finished)
        assert all(done <= made for done, made in zip(finished, begun, strict=True))
        assert begun[-1] == finished[-1] == layer.output.height
        for step in range(layer.steps):
            rows = layer.reads(step)
            assert not rows or 0 <= rows.start < rows.stop <= layer.inputs[0].height


def test_a_window_reads_the_rows_under_it():
    layer = _last(lambda b, x: b.convolution(x, 4, (3, 3), (1, 1), "SAME", "NONE"))
    assert [layer.reads(step) for step in (0, 1, 6)] == [range(2), range(3), range(5, 7)]
    assert layer.sees_outside
    assert layer.pads == (1, 1)


@pytest.mark.parametrize(
    ("window", "width_in", "width_out", "overhang"),
    [(Window(1, 3, pad_left=1), 5, 5, 1), (Window(1, 3, stride_width=2), 5, 2, 0), (Window(1, 3), 5, 5, 2)],
)
def test_how_far_the_last_window_reaches(window, width_in, width_out, overhang):
    assert window.right_overhang(width_in, width_out) == overhang


def test_a_dilated_window_spans_its_gaps():
    def build(builder, given):
        return builder.dilated(given, 4, (3, 2), (1, 1), (2, 3), "SAME", "NONE", by_channel=True, has_bias=True)

    layer = _last(build, (1, 9, 8, 4))
    assert (layer.window.rows, layer.window.columns) == (5, 4)
    assert (layer.window.pad_top, layer.window.pad_left) == (2, 1)
    assert [layer.reads(step) for step in (0, 4, 8)] == [range(3), range(2, 7), range(6, 9)]
    assert layer.pads == (1, 2)


def test_a_mean_emits_once_at_the_end():
    layer = _last(lambda b, x: b.mean(x))
    assert isinstance(layer, Mean)
    assert [layer.begun(step) for step in range(layer.steps)] == [0, 0, 0, 0, 0, 0, 1]
    assert layer.sums == 4


def test_a_reshape_emits_what_is_full():
    layer = _last(lambda b, x: b.reshape(x, (1, 5, 7, 4)))
    assert isinstance(layer, Reshape)
    assert [layer.begun(step) for step in range(7)] == [1, 2, 3, 3, 4, 5, 5]
    assert [layer.finished(step) for step in range(7)] == [0, 1, 2, 2, 3, 4, 5]


def test_padding_rows_read_nothing():
    layer = _last(lambda b, x: b.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]]))
    assert isinstance(layer, Pad)
    assert [len(layer.reads(step)) for step in range(layer.steps)] == [0, *[1] * 7, 0, 0]


def test_disjoint_averages_keep_sums():
    layer = _last(lambda b, x: b.pool("AVERAGE_POOL_2D", x, (7, 5), (7, 5), "VALID", "NONE"))
    assert isinstance(layer, AveragePoolByRow)
    assert (layer.steps, layer.begun(5), layer.begun(6), layer.sums) == (7, 0, 1, 4)
