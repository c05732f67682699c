import row_models
from hypothesis import given, settings
from int8_graphs import models

from firmware_export.rows.check_plan import check
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import SOURCE, _rings, _Traffic, plan
from firmware_export.tflite import reader


def _built(build, shape=(1, 12, 12, 4)):
    return plan(lower(row_models.model(build, shape)))


def _convolution(builder, given, strides=(1, 1), channels=4):
    return builder.convolution(given, channels, (3, 3), strides, "SAME", "RELU")


def _depths(planned):
    return [ring.depth for ring in planned.rings]


def _stuck(planned):
    """Whether the network runs with any one ring a row shorter."""
    traffic = _Traffic(planned.network, planned.rings)
    shorter = [
        [depth - (i == ring) for i, depth in enumerate(_depths(planned))]
        for ring, found in enumerate(planned.rings)
        if found.depth > 1
    ]
    return all(traffic.run(depths)[0] is None for depths in shorter)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(models())
def test_no_row_is_lost_and_none_is_kept_in_vain(model):
    planned = plan(lower(reader.read(model)))
    check(planned)
    assert _stuck(planned)
    assert planned.schedule[0] == SOURCE
    assert planned.schedule.count(SOURCE) == planned.network.input.height


def test_a_chain_of_windows_keeps_three_rows_each():
    planned = _built(lambda b, x: b.mean(_convolution(b, _convolution(b, _convolution(b, x)))))
    assert _depths(planned) == [3, 3, 3, 1, 1]


def test_an_addition_writes_over_the_branch_that_waits_least():
    def block(builder, x):
        return builder.mean(builder.add(x, _convolution(builder, _convolution(builder, x)), "RELU"))

    planned = _built(lambda b, x: block(b, _convolution(b, x)))
    # The image, the block's input, which the addition still finds there, the first convolution; the second has none
    # but the sum's.
    assert _depths(planned) == [3, 3, 3, 1, 1]
    assert [len(ring.tensors) for ring in planned.rings] == [1, 1, 1, 2, 1]


def test_an_addition_writes_over_a_row_that_its_other_reader_is_done_with():
    def block(builder, x):
        wide = builder.convolution(x, 16, (1, 1), (1, 1), "SAME", "RELU")
        narrow = builder.convolution(_convolution(builder, wide, channels=16), 4, (1, 1), (1, 1), "SAME", "NONE")
        return builder.add(x, narrow, "NONE")

    planned = _built(lambda b, x: b.mean(block(b, _convolution(b, x))))
    check(planned)
    block_input, total = planned.network.layers[0].output, planned.network.layers[4].output
    assert planned.ring_of[block_input] is planned.ring_of[total]


def test_an_addition_does_not_wait_for_a_reader_that_waits_for_it():
    def build(builder, x):
        x = _convolution(builder, x)
        first = builder.add(x, builder.convolution(x, 4, (1, 1), (1, 1), "SAME", "NONE"), "NONE")
        return builder.mean(builder.add(x, builder.convolution(first, 4, (1, 1), (1, 1), "SAME", "NONE"), "NONE"))

    planned = _built(build)
    check(planned)
    assert planned.ring_of[planned.network.layers[0].output].tensors[:2] != (
        planned.network.layers[0].output,
        planned.network.layers[2].output,
    )


def test_a_long_way_round_makes_the_short_one_wait():
    def branches(builder, x):
        way = x
        for _ in range(4):
            way = _convolution(builder, way)
        return builder.mean(builder.add(x, way, "NONE"))

    # Four windows of three rows: row y of the image is added when row y + 4 is there.
    assert _depths(_built(branches))[0] == 5


def test_what_needs_a_whole_tensor_gets_it():
    planned = _built(lambda b, x: b.pool("MAX_POOL_2D", _convolution(b, x), (12, 12), (1, 1), "VALID", "NONE"))
    assert [ring.is_whole for ring in planned.rings] == [False, True, False]
    assert not any(ring.is_whole for ring in _built(lambda b, x: b.mean(_convolution(b, x))).rings)


def test_the_output_is_kept_as_a_whole():
    assert _depths(_built(lambda b, x: _convolution(b, x))) == [3, 12]


def test_means_and_disjoint_averages_keep_sums_instead_of_rows():
    planned = _built(lambda b, x: b.pool("AVERAGE_POOL_2D", _convolution(b, x), (12, 12), (1, 1), "VALID", "NONE"))
    assert _depths(planned) == [3, 1, 1]


def test_pads_are_the_widest_readers():
    def two_readers(builder, x):
        wide = builder.convolution(x, 4, (5, 5), (1, 1), "SAME", "NONE")
        return builder.mean(builder.add(wide, _convolution(builder, x), "NONE"))

    ring = _built(two_readers).rings[0]
    assert (ring.pad_left, ring.pad_right, ring.row_bytes) == (2, 2, 14 * 4)


def test_padding_layers_before_convolutions_vanish():
    def padded(builder, x):
        x = builder.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return builder.mean(builder.convolution(x, 4, (3, 3), (2, 2), "VALID", "NONE"))

    planned = _built(padded)
    assert [layer.operator for layer in planned.network.layers] == ["CONV_2D", "MEAN"]
    assert _depths(planned)[0] == 3


def test_what_runs_without_limits_needs_no_more_than_it_says():
    network = _built(lambda b, x: b.mean(_convolution(b, _convolution(b, x, (2, 2))))).network
    traffic = _Traffic(network, _rings(network, {}, True))
    _, most = traffic.run([None] * 4)
    schedule, _ = traffic.run(most)
    assert schedule is not None
