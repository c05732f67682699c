"""The words of every kind of layer, beside what all kinds have."""

import elementwise_graphs as graphs
import row_models

from firmware_export.common.harden import Harden
from firmware_export.rows import emit, engine
from firmware_export.rows.context import Place
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan

PLANE = (1, 8, 6, 4)
COMMON = ("steps", "in", "out", "width_in", "channels_in", "width_out", "channels_out", "result")


def _image(build, shape=PLANE):
    return emit.image(plan(lower(row_models.model(build, shape, seed=3, quantization=(0.5, 5)))), "satkd")


def _words(build, shape=PLANE, position=-1):
    """The texts of a layer's words, and those that only its kind has."""
    words = {
        name: word.text if isinstance(word, Place) else word
        for name, word in _image(build, shape).layers[position].words.items()
    }
    return words, {name: word for name, word in words.items() if name.partition(".")[0] not in COMMON}


def test_convolution():
    words, own = _words(lambda b, x: b.convolution(x, 3, (3, 3), (2, 2), "SAME", "RELU"))
    # One pixel of padding to the right; the output is kept as a whole, four rows of 9 bytes.
    assert {name: word for name, word in words.items() if name not in own} == {
        "steps": 4,
        "in.start": "offsetof(satkd_context, rows_0)",
        "in.row_bytes": 28,
        "in.depth": 3,
        "in.height": 8,
        "in.before": 0,
        "in.checks": 0,
        "out.start": "offsetof(satkd_context, rows_1)",
        "out.row_bytes": 12,
        "out.depth": 4,
        "out.height": 4,
        "out.before": 0,
        "out.checks": 0,
        "width_in": 6,
        "channels_in": 4,
        "width_out": 3,
        "channels_out": 3,
        "result": 1,  # the first byte of the outputs
    }
    assert own.pop("lowest") == own.pop("zero_point_out")
    assert own == {
        "kind": "SATKD_ENGINE_CONVOLUTION",
        "kernel_height": 3,
        "kernel_width": 3,
        "stride_height": 2,
        "stride_width": 2,
        "pad_top": 0,
        "pad_left": 0,
        "dilation_height": 1,
        "dilation_width": 1,
        "highest": 127,
        "has_fast_sums": 1,
        "has_right_shifts": 2,
        "weights": "offsetof(satkd_constants_t, weights_1)",
        "bias": "offsetof(satkd_constants_t, bias_1)",
        "multipliers": "offsetof(satkd_constants_t, multipliers_1)",
        "shifts": "offsetof(satkd_constants_t, shifts_1)",
        "outside": "offsetof(satkd_constants_t, outside_5)",
        "scratch": "offsetof(satkd_context, scratch)",
    }


def test_rows_begin_with_the_padding_that_a_layer_reads():
    def build(builder, given):
        x = builder.convolution(given, 8, (3, 3), (1, 1), "SAME", "NONE", multiplier=2)
        y = builder.convolution(given, 8, (1, 1), (1, 1), "SAME", "NONE")
        return builder.mean(builder.add(x, y, "NONE"))

    first, _ = _words(build, position=0)
    second, _ = _words(build, position=1)
    assert first["kind"] == "SATKD_ENGINE_DEPTHWISE_CONVOLUTION"
    assert (first["in.start"], first["pad_left"]) == ("offsetof(satkd_context, shared_0)", 1)
    assert (second["in.start"], second["pad_left"]) == ("offsetof(satkd_context, shared_0) + 4u", 0)
    assert (first["in.before"], second["in.before"]) == (0, 4)


def test_a_tall_window_is_left_to_the_portable_kernel():
    _, own = _words(lambda b, x: b.convolution(x, 3, (13, 1), (1, 1), "SAME", "NONE"), (1, 16, 4, 2))
    assert own["has_fast_sums"] == 0
    assert "scratch" not in own


def test_addition_writes_over_what_it_read():
    def build(builder, given):
        return builder.mean(builder.add(given, builder.convolution(given, 4, (1, 1), (1, 1), "SAME", "NONE"), "NONE"))

    words, own = _words(build, position=1)
    assert words["out.start"] == words["other.start"] == "offsetof(satkd_context, rows_1)"
    assert (own["kind"], own["zero_point_in"], own["lowest"], own["highest"]) == ("SATKD_ENGINE_ADDITION", 5, -128, 127)
    add = _image(build).plan.network.layers[1]
    for name, scale in zip(("in", "other", "out"), add.scalings, strict=True):
        assert (own[f"scale_{name}.multiplier"], own[f"scale_{name}.shift"]) == scale


def test_pooling():
    _, own = _words(lambda b, x: b.pool("MAX_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE"))
    window = {"kernel_height": 3, "kernel_width": 3, "stride_height": 1, "stride_width": 1, "pad_top": 1, "pad_left": 1}
    window |= {"dilation_height": 1, "dilation_width": 1}
    assert own == {"kind": "SATKD_ENGINE_MAX_POOL", **window, "lowest": -128, "highest": 127}
    _, own = _words(lambda b, x: b.pool("AVERAGE_POOL_2D", x, (2, 3), (1, 3), "VALID", "NONE"))
    assert own["kind"] == "SATKD_ENGINE_AVERAGE_POOL"
    _, own = _words(lambda b, x: b.pool("AVERAGE_POOL_2D", x, (3, 6), (4, 1), "VALID", "NONE"))
    assert (own["kind"], own["sums"]) == ("SATKD_ENGINE_AVERAGE_POOL_BY_ROW", "offsetof(satkd_context, sums_1)")


def test_mean():
    words, own = _words(lambda b, x: b.mean(x))
    mean = _image(lambda b, x: b.mean(x)).plan.network.layers[0]
    assert words["steps"] == 8
    assert own == {
        "kind": "SATKD_ENGINE_MEAN",
        "kernel_width": 6,
        "stride_width": 1,
        "zero_point_in": 5,
        "zero_point_out": mean.output.zero_point,
        "scale_out.multiplier": mean.multiplier,
        "scale_out.shift": mean.shift,
        "sums": "offsetof(satkd_context, sums_1)",
    }


def test_functions_of_one_row():
    table = {"table": "offsetof(satkd_constants_t, table_1)"}
    assert _words(lambda b, x: b.relu("RELU", x))[1] == {"kind": "SATKD_ENGINE_LOOKUP", **table}
    assert _words(lambda b, x: b.softmax(x))[1] == {"kind": "SATKD_ENGINE_SOFTMAX", **table}
    assert _words(lambda b, x: b.reshape(x, (1, 4, 6, 8)))[1] == {"kind": "SATKD_ENGINE_RESHAPE"}


def _pair(name, kind):
    def build(builder, x):
        return graphs.pair(builder, name, x, graphs.operand(builder, kind, x, (0.02, 3)), "RELU", (0.05, -7))

    layer = _image(build).plan.network.layers[-1]
    return layer, {word: value for word, value in _words(build)[1].items() if value}


def test_pairs_with_a_constant():
    layer, own = _pair("MUL", "channels")
    multiplier, shift = layer.scalings[2]
    assert own == {
        "kind": "SATKD_ENGINE_MULTIPLICATION",
        "other.row_bytes": 4,
        "other.depth": 1,
        "zero_point_in": 5,
        "zero_point_other": 3,
        "zero_point_out": -7,
        "lowest": -7,
        "highest": 127,
        "scale_out.multiplier": multiplier,
        "scale_out.shift": shift,
        "table": "offsetof(satkd_constants_t, table_1)",
    }
    _, own = _pair("SUB", "columns")
    assert (own["other.row_bytes"], own["other.depth"], own["stride_width"]) == (6, 8, 1)
    assert own["kind"] == "SATKD_ENGINE_SUBTRACTION"


def test_pairs_with_a_tensor_find_its_ring():
    def build(builder, x):
        return graphs.pair(builder, "MAXIMUM", x, builder.mean(x, keeps_rank=True))

    image = emit.image(plan(lower(row_models.model(build, PLANE, quantization=(0.5, 5)))), "satkd")
    words = dict(zip(engine.LAYER, image.layers[1].values, strict=True))
    assert words["other.start"] == image.context.place("rows_1").value
    assert (words["other.depth"], words["stride_width"], words["table"]) == (1, 0, 0)


def test_log_softmax():
    _, own = _words(lambda b, x: graphs.function(b, "LOG_SOFTMAX", x))
    assert own["kind"] == "SATKD_ENGINE_LOG_SOFTMAX"
    assert own["table"] == "offsetof(satkd_constants_t, table_1)"
    assert own["lowest"] == -32  # 31 · 2^26 / 2^26, and one less
    # 2^25 is half of 2^26.
    assert (own["scale_in.multiplier"], own["scale_in.shift"]) == (1 << 30, 26)
    assert (own["scale_other.multiplier"], own["scale_other.shift"]) == (1 << 30, -24)


def test_padding():
    _, own = _words(lambda b, x: b.pad(x, [[0, 0], [2, 1], [1, 0], [0, 3]], -7))
    pads = {"pad_top": 2, "pad_left": 1, "pad_front": 0, "pad_code": -7}
    assert own == {"kind": "SATKD_ENGINE_PAD", **pads}


def test_dense_is_a_convolution_of_one_pixel():
    words, own = _words(lambda b, x: b.dense(x, 10, "NONE"), shape=(1, 40))
    assert (words["channels_in"], words["channels_out"], words["width_out"]) == (40, 10, 1)
    assert (own["kernel_height"], own["kernel_width"]) == (1, 1)
    assert "outside" not in own


def test_checks_cover_constants_rows_and_sums():
    def build(builder, given):
        return builder.softmax(builder.mean(builder.convolution(given, 3, (3, 3), (1, 1), "SAME", "RELU")))

    model = row_models.model(build, PLANE, seed=3, quantization=(0.5, 5))
    image = emit.image(plan(lower(model)), "satkd", Harden.DETECT)
    convolution, mean, softmax = (layer.words for layer in image.layers)
    arrays = image.constants.in_order()

    def content(*names):
        return engine.words(
            b"".join(arrays[name].astype(arrays[name].dtype.newbyteorder("<")).tobytes() for name in names)
        )

    for words, names in (
        (convolution, ("bias_1", "multipliers_1", "shifts_1", "weights_1", "outside_5")),
        (softmax, ("table_3",)),
    ):
        check = (words["constants_check.low"], words["constants_check.high"])
        assert check == engine.check(content(*names))
    assert (convolution["numbers.start"], convolution["numbers.words"]) == (convolution["bias"], 6)
    assert (convolution["codes.start"], convolution["codes.words"]) == (convolution["shifts"], 1 + 27)
    assert (convolution["border.start"], convolution["border.words"]) == (convolution["outside"], (6 + 2))
    assert mean["sums_words"] == 3
    starts = [mean["sums_check"], image.model.words["input.checks"], convolution["out.checks"], mean["out.checks"]]
    depths = [1, image.model.words["input.depth"], convolution["out.depth"]]
    first = image.context.place("checks").value
    assert [start.value for start in starts] == [first + 8 * sum(depths[:i]) for i in range(4)]


def test_models_without_checks_name_none():
    image = _image(lambda b, x: b.convolution(x, 3, (3, 3), (1, 1), "SAME", "RELU"))
    structures = dict(zip(engine.LAYER, image.layers[0].values, strict=True))
    checks = ("in.checks", "out.checks", "sums_check", "numbers.words", "codes.words", "constants_check.low")
    assert all(structures[name] == 0 for name in checks)
