"""Random int8 models of the operators that move codes, for the row engine."""

import math

import numpy as np
from hypothesis import strategies as st
from int8_graphs import PIXELS
from structure_builder import StructureBuilder


@st.composite
def models_with_several_outputs(draw):
    """The bytes of a `.tflite` that returns two to four of its tensors, some of which other layers read, too."""
    builder = StructureBuilder(draw(st.integers(0, 2**32 - 1)))
    given = builder.activation(draw(_PLANES), draw(st.sampled_from((PIXELS, None))))
    x, found = given, []
    for _ in range(draw(st.integers(2, 4))):
        kernel, strides = (3, 3), draw(st.sampled_from(((1, 1), (2, 2))))
        x = builder.convolution(x, draw(st.integers(1, 5)), kernel, strides, "SAME", "RELU")
        head = draw(st.sampled_from(("none", "relu", "reshape", "mean", "pool")))
        if head == "relu":
            found.append(builder.relu("RELU6", x))
        elif head == "reshape":
            found.append(builder.reshape(x, (1, math.prod(x.shape[1:3]), x.shape[3])))
        elif head == "mean":
            found.append(builder.mean(x))
        elif head == "pool":
            found.append(builder.pool("MAX_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE"))
        found.append(x)
    outputs = draw(st.lists(st.sampled_from(found), min_size=2, max_size=4, unique_by=lambda tensor: tensor.index))
    return builder.model_of(given, outputs)


@st.composite
def models(draw, kind):
    """The bytes of a `.tflite` around one operator of a kind of `KINDS`, between other layers or alone."""
    builder = StructureBuilder(draw(st.integers(0, 2**32 - 1)))
    shape = draw(_SHAPES.get(kind, _PLANES))
    given = builder.activation(shape, draw(st.sampled_from((PIXELS, None))))
    source = given
    if len(shape) == 4 and draw(st.booleans()):
        source = builder.convolution(given, draw(st.integers(1, 5)), (3, 3), (1, 1), "SAME", "RELU")
    output = KINDS[kind](draw, builder, source)
    if len(output.shape) == 4 and draw(st.booleans()):
        output = builder.convolution(output, draw(st.integers(1, 4)), (3, 3), (1, 1), "SAME", "NONE")
    return builder.model(given, output)


_SIZE = st.integers(1, 9)
_PLANES = st.tuples(st.just(1), _SIZE, _SIZE, st.integers(1, 6))
_ANY = st.one_of(_PLANES, _PLANES, st.tuples(st.just(1), _SIZE, _SIZE), st.tuples(st.just(1), st.integers(1, 30)))
_SHAPES = dict.fromkeys(
    ("EXPAND_DIMS", "SQUEEZE", "MEAN", "TRANSPOSE", "CONCATENATION", "STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V"), _ANY
)


def _expand_dims(draw, builder, given):
    rank = len(given.shape)
    if rank == 4:
        given, rank = builder.reshape(given, (1, math.prod(given.shape))), 2
    return builder.expand_dims(given, draw(st.integers(-rank, rank)))


def _squeeze(draw, builder, given):
    size = math.prod(given.shape)
    shape = draw(st.sampled_from(((1, size, 1), (1, 1, size), (1, 1, 1, size), (1, 1, size, 1), (1, size, 1, 1))))
    ones = [axis for axis, n in enumerate(shape) if n == 1]
    axes = draw(st.lists(st.sampled_from(ones), unique=True, min_size=1))
    if shape[1] == size > 1 and len(shape) - len(axes) > 2 and 0 in axes:  # what remains would have another batch
        axes = [1 + shape[1:].index(1)]
    return builder.squeeze(builder.reshape(given, shape), sorted(axes))


def _mean(draw, builder, given):
    rank = len(given.shape)
    axes = draw(st.lists(st.integers(-rank, rank - 1), min_size=1, max_size=rank, unique_by=lambda a: a % rank))
    keeps_rank = draw(st.booleans())
    named = {axis % rank for axis in axes}
    if not keeps_rank and 0 in named and rank - len(named) > 2:  # what remains would have another batch
        keeps_rank = True
    return builder.mean_over(given, axes, keeps_rank=keeps_rank)


def _transpose(draw, builder, given):
    rank = len(given.shape)
    order = draw(st.permutations(range(rank)))
    if rank > 2 and given.shape[order[0]] != 1:
        order = [0, *(axis for axis in order if axis)]
    return builder.transpose(given, order)


def _concatenation(draw, builder, given):
    axis = draw(st.integers(0 if len(given.shape) == 2 else 1, len(given.shape) - 1))
    parts = [given]
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(("same", "relu", "padded", "window")))
        other = given
        if kind == "relu":
            other = builder.relu("RELU6", given)
        elif kind == "padded":
            other = builder.pad(given, [[0, int(i == axis) * draw(st.integers(0, 3))] for i in range(len(given.shape))])
        elif kind == "window" and len(given.shape) == 4:
            other = builder.pool("MAX_POOL_2D", given, (3, 3), (1, 1), "SAME", "NONE")
        parts.insert(draw(st.integers(0, len(parts))), other)
    return builder.concatenation(parts, axis)


def _strided_slice(draw, builder, given):
    slices, shrunk = [slice(None)], []
    for i, size in enumerate(given.shape[1:], start=1):
        step = draw(st.sampled_from((1, 1, 1, 2, 3, -1, -2)))
        begin, end = (draw(st.none() | st.integers(-size, size)) for _ in range(2))
        found = slice(begin, end, step)
        if not range(*found.indices(size)):
            found = slice(None, None, step)
        if draw(st.integers(0, 4)) == 0:
            place = draw(st.integers(-size, size - 1))
            found = slice(place, place % size + 1, 1)
            shrunk.append(i)
        slices.append(found)
    return builder.strided_slice(given, slices, shrunk)


def _slice(draw, builder, given):
    begins, sizes = [0], [draw(st.sampled_from((1, -1)))]
    for size in given.shape[1:]:
        begins.append(draw(st.integers(0, size - 1)))
        sizes.append(draw(st.sampled_from((-1, 1, size - begins[-1]))))
    return builder.slice(given, begins, sizes)


def _split(draw, builder, given):
    rank = len(given.shape)
    axis = draw(st.integers(1, rank - 1))
    divisors = [n for n in range(1, given.shape[axis] + 1) if given.shape[axis] % n == 0]
    axis = draw(st.sampled_from((axis, axis - rank)))
    return _joined(draw, builder, builder.split(given, axis, draw(st.sampled_from(divisors))))


def _split_v(draw, builder, given):
    axis = draw(st.integers(1, len(given.shape) - 1))
    length = given.shape[axis]
    cuts = sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=3))})
    return _joined(draw, builder, builder.split(given, axis, np.diff(cuts).tolist()), axis)


def _joined(draw, builder, parts, axis=None):
    """One part, the sum of two of equal shape, or all of them in another order."""
    first = draw(st.sampled_from(parts))
    same = [part for part in parts if part.shape == first.shape]
    if axis is not None and draw(st.booleans()):
        return builder.concatenation(draw(st.permutations(parts)), axis)
    return builder.add(first, draw(st.sampled_from(same)), "NONE") if draw(st.booleans()) else first


def _resize(draw, builder, given):
    size = [draw(st.sampled_from((n, 2 * n, 4 * n)) | st.integers(1, 20)) for n in given.shape[1:3]]
    aligns, centers = draw(st.sampled_from(((False, False), (False, False), (True, False), (False, True))))
    return builder.resize(given, size, aligns=aligns, centers=centers)


_FUSED = st.sampled_from(("NONE", "RELU", "RELU6"))


def _weighted(draw):
    return {"by_channel": draw(st.booleans()), "has_bias": draw(st.booleans())}


def _dilated(draw, builder, given):
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(2))
    dilation = tuple(draw(st.integers(1, 4)) for _ in range(2))
    spans = [(taps - 1) * gap + 1 for taps, gap in zip(kernel, dilation, strict=True)]
    fits = all(span <= n for span, n in zip(spans, given.shape[1:3], strict=True))
    padding = draw(st.sampled_from(("SAME", "VALID"))) if fits else "SAME"
    multiplier = draw(st.none() | st.integers(1, 3))
    channels = draw(st.integers(1, 6)) if multiplier is None else given.shape[3] * multiplier
    strides = draw(st.sampled_from(((1, 1), (1, 1), (2, 1), (1, 2), (2, 2))))
    return builder.dilated(
        given, channels, kernel, strides, dilation, padding, draw(_FUSED), multiplier=multiplier, **_weighted(draw)
    )


def _transposed(draw, builder, given):
    kernel = tuple(draw(st.integers(1, 5)) for _ in range(2))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(2))
    padding = draw(st.sampled_from(("SAME", "VALID")))
    if padding == "SAME":
        size = [n * s - draw(st.integers(0, s - 1)) for n, s in zip(given.shape[1:3], strides, strict=True)]
    else:
        size = [(n - 1) * s + k for n, s, k in zip(given.shape[1:3], strides, kernel, strict=True)]
    return builder.transposed(given, draw(st.integers(1, 5)), kernel, strides, size, padding, **_weighted(draw))


def _pad(draw, builder, given):
    amounts = [[0, 0], *([draw(st.integers(0, 3)), draw(st.integers(0, 3))] for _ in given.shape[1:])]
    return builder.pad(given, amounts, draw(st.integers(-128, 127)))


KINDS = {
    "EXPAND_DIMS": _expand_dims,
    "SQUEEZE": _squeeze,
    "MEAN": _mean,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concatenation,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "CONV_2D": _dilated,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "PADV2": _pad,
    "TRANSPOSE_CONV": _transposed,
}
