"""The words of layers that move codes."""

import pytest
import row_models

from firmware_export.rows import emit
from firmware_export.rows.context import Place
from firmware_export.rows.describe_structure import structure_words
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan

PLANE = (1, 6, 5, 4)
ENDS = ("steps", "in", "other", "out", "zero_point_in", "zero_point_out", "scale_out", "sums", "result")


def _words(build, position=-1):
    image = emit.image(plan(lower(row_models.model(build, PLANE, seed=3, quantization=(0.5, 5)))), "satkd")
    words = image.layers[position].words
    texts = {name: word.text if isinstance(word, Place) else word for name, word in words.items()}
    return {name: text for name, text in texts.items() if name.partition(".")[0] not in ENDS}


def test_a_slice_begins_inside_a_row():
    words = _words(lambda b, x: b.strided_slice(x, (slice(None), slice(1, None, 2), slice(4, 0, -1), slice(2, 4))))
    assert words == {
        "kind": "SATKD_ENGINE_SELECTION",
        "width_in": 5,
        "channels_in": 4,
        "width_out": 4,
        "channels_out": 2,
        "stride_height": 2,
        "pad_top": -1,
        "path.start": 4 * 4 + 2,
        "path.row": 0,
        "path.column": -4,
        "path.channel": 1,
    }


def test_a_transposition_walks_over_slots():
    words = _words(lambda b, x: b.transpose(x, (0, 3, 1, 2)))
    assert [words[f"path.{name}"] for name in ("start", "row", "column", "channel")] == [0, 1, 20, 4]
    assert "stride_height" not in words


@pytest.mark.parametrize(
    ("axis", "sizes"),
    [(1, (5, 4, 5, 4)), (2, (1, 5 * 4, 1, 10 * 4)), (3, (5, 4, 5, 8))],
    ids=["rows", "columns", "channels"],
)
def test_a_concatenation_is_one_of_channels_or_rows(axis, sizes):
    words = _words(lambda b, x: b.concatenation([x, x], axis))
    assert tuple(words[name] for name in ("width_in", "channels_in", "width_out", "channels_out")) == sizes
    assert words["kind"] == "SATKD_ENGINE_CONCATENATION"


@pytest.mark.parametrize(
    ("axes", "walk"), [((2,), (5, 1, 4)), ((3,), (4, 4, 1)), ((2, 3), (20, 4, 1)), ((1, 3), (4, 4, 1))], ids=str
)
def test_a_reduction_walks_over_a_row(axes, walk):
    words = _words(lambda b, x: b.mean_over(x, axes, keeps_rank=True))
    assert tuple(words[name] for name in ("kernel_width", "path.column", "path.channel")) == walk


def test_a_resizing_has_a_table_and_a_transposed_convolution_a_window():
    words = _words(lambda b, x: b.resize(x, (12, 10), aligns=False, centers=False))
    assert (words["kind"], words["table"]) == ("SATKD_ENGINE_RESIZING", "offsetof(satkd_constants_t, table_1)")
    weighted = {"by_channel": True, "has_bias": True}
    words = _words(lambda b, x: b.transposed(x, 3, (3, 3), (2, 2), (12, 10), "SAME", **weighted))
    assert (words["kernel_height"], words["stride_width"], words["pad_top"]) == (3, 2, 0)
    assert words["weights"] == "offsetof(satkd_constants_t, weights_1)"


def test_other_layers_are_not_its():
    layer = lower(row_models.model(lambda b, x: b.mean(x), PLANE)).layers[0]
    with pytest.raises(NotImplementedError):
        structure_words(layer, None)
