"""The exact C of every kind of layer."""

import textwrap

import row_models

from firmware_export.rows import emit
from firmware_export.rows.constants import constants
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan

PLANE = (1, 8, 6, 4)


def _body(build, shape=PLANE):
    """The statements of the last layer of a model, and the plan."""
    planned = plan(lower(row_models.model(build, shape, seed=3, quantization=(0.5, 5))))
    position = len(planned.network.layers)
    return "\n".join(emit.body(planned.network.layers[-1], planned, position)), planned


def _unwrapped(text):
    return text.replace("\n      ", " ")


def _is(text, expected):
    assert _unwrapped(text) == _unwrapped(textwrap.dedent(expected).strip("\n"))


def test_convolution():
    def build(builder, given):
        return builder.convolution(given, 3, (3, 3), (2, 2), "SAME", "RELU")

    text, planned = _body(build)
    output = planned.network.output
    # The image: row 2y − 0 on, one pixel of padding to the right. The output is kept as a whole, four rows of 9 bytes.
    _is(
        text,
        f"""
        const int8_t *rows[3];
        satkd_find_rows(rows, 3, step * 2, context->rows_0, 3, 28, 8, satkd_constants.outside_5);
        satkd_conv_row(rows, context->rows_1 + step * 12, satkd_constants.weights_1, satkd_constants.bias_1,
              satkd_constants.multiplier_1, satkd_constants.shift_1, 3, 3, 2, 4, 3, 3, {output.zero_point},
              {planned.network.layers[0].lowest}, 127, SATKD_SCRATCH);
        """,
    )


def test_depthwise_convolution_padded_on_both_sides():
    def build(builder, given):
        return builder.mean(builder.convolution(given, 8, (3, 3), (1, 1), "SAME", "NONE", multiplier=2))

    _, planned = _body(build)
    layer = planned.network.layers[0]
    _is(
        "\n".join(emit.body(layer, planned, 1)),
        f"""
        const int8_t *rows[3];
        satkd_find_rows(rows, 3, step - 1, context->rows_0, 3, 32, 8, satkd_constants.outside_5);
        satkd_depthwise_row(rows, context->rows_1, satkd_constants.weights_1, satkd_constants.bias_1,
              satkd_constants.multiplier_1, satkd_constants.shift_1, 3, 3, 1, 4, 2, 6,
              {layer.output.zero_point}, -128, 127);
        """,
    )


def test_addition_writes_over_what_it_read():
    def build(builder, given):
        return builder.mean(builder.add(given, builder.convolution(given, 4, (1, 1), (1, 1), "SAME", "NONE"), "NONE"))

    _, planned = _body(build)
    add = planned.network.layers[1]
    (ma, sa), (mb, sb), (m, s) = add.scalings
    text = _unwrapped(emit.body(add, planned, 2)[0])
    assert text == (
        f"satkd_add_row(context->rows_0, context->rows_1, context->rows_1, 24, 5, {ma}, {sa}, "
        f"{add.inputs[1].zero_point}, {mb}, {sb}, {add.output.zero_point}, {m}, {s}, -128, 127);"
    )


def test_pooling_clips_its_window():
    text, _ = _body(lambda b, x: b.pool("MAX_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE"))
    _is(
        text,
        """
        const int top = step - 1;
        const int first = top > 0 ? top : 0;
        const int last = top + 3 < 8 ? top + 3 : 8;
        const int8_t *rows[3];
        satkd_find_rows(rows, last - first, first, context->rows_0, 3, 24, 8, NULL);
        satkd_max_pool_row(rows, context->rows_1 + step * 24, last - first, 3, 1, 1, 6, 4, 6, -128, 127);
        """,
    )
    text, _ = _body(lambda b, x: b.pool("AVERAGE_POOL_2D", x, (2, 3), (1, 3), "VALID", "NONE"))
    _is(
        text,
        """
        const int8_t *rows[2];
        satkd_find_rows(rows, 2, step, context->rows_0, 2, 24, 8, NULL);
        satkd_average_pool_row(rows, context->rows_1 + step * 8, 2, 3, 3, 0, 6, 4, 2, -128, 127);
        """,
    )


def test_disjoint_averages_are_summed():
    text, _ = _body(lambda b, x: b.pool("AVERAGE_POOL_2D", x, (3, 6), (4, 1), "VALID", "NONE"))
    _is(
        text,
        """
        const int window = step / 4;
        const int line = step % 4;
        if (window >= 2 || line >= 3) return;
        satkd_sum_row(context->rows_0, context->sums_1, line == 0, 6, 1, 0, 6, 4, 1);
        if (line != 2 && step != 7) return;
        satkd_average_row(context->sums_1, context->rows_1 + window * 4, line + 1, 6, 1, 0, 6, 4, 1, -128, 127);
        """,
    )


def test_mean():
    text, planned = _body(lambda b, x: b.mean(x))
    mean = planned.network.layers[0]
    _is(
        text,
        f"""
        satkd_sum_row(context->rows_0, context->sums_1, step == 0, 6, 1, 0, 6, 4, 1);
        if (step != 7) return;
        satkd_mean_row(context->sums_1, context->rows_1, 4, 240, {mean.multiplier}, {mean.shift},
              {mean.output.zero_point});
        """,
    )


def test_reshape():
    text, _ = _body(lambda b, x: b.reshape(x, (1, 4, 6, 8)))
    assert text == "satkd_reshape_row(context->rows_0, context->rows_1, step, 24, 48, 4, 48);"


def test_functions_of_one_row():
    text, _ = _body(lambda b, x: b.relu("RELU", x))
    assert text == "satkd_lookup_row(context->rows_0, context->rows_1 + step * 24, 24, satkd_constants.table_1);"
    text, _ = _body(lambda b, x: b.softmax(x))
    assert text == (
        "satkd_softmax_row(context->rows_0, context->rows_1 + step * 24, satkd_constants.exponentials_1, 6, 4);"
    )


def test_padding():
    text, _ = _body(lambda b, x: b.pad(x, [[0, 0], [2, 1], [1, 0], [0, 3]], -7))
    assert _unwrapped(text) == (
        "satkd_pad_row((step - 2) >= 0 && (step - 2) < 8 ? context->rows_0 : NULL, "
        "context->rows_1 + step * 52, 1, 0, 6, 4, 7, 7, -7);"
    )


def test_dense_is_a_convolution_of_one_pixel():
    text, planned = _body(lambda b, x: b.dense(x, 10, "NONE"), shape=(1, 40))
    assert text.startswith("const int8_t *rows[1];\nsatkd_find_rows(rows, 1, step, context->rows_0, 1, 40, 1, NULL);")
    assert "1, 1, 1, 40, 10, 1, " in text
    assert "outside" not in " ".join(constants(planned).arrays)
