"""A normalized copy is compared with its file before the export."""

import dataclasses

import numpy as np
import pytest
from int8_graphs import PIXELS, GraphBuilder
from model_surgery import edited, with_ends

from firmware_export.common.errors import UserError
from firmware_export.tflite import reader
from firmware_export.verify import origin_parity

CODES = np.random.default_rng(2).integers(-128, 128, (4, 6, 5, 3), np.int8)


def _small():
    builder = GraphBuilder(3)
    given = builder.activation((1, 6, 5, 3), PIXELS)
    return builder.model(given, builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "NONE"))


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_copy_computes_what_its_file_does(dtype):
    origin_parity.check_origin(reader.read(with_ends(_small(), dtype)), CODES)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_copy_of_another_file_is_refused(dtype):
    def spoil(content):
        bias = next(tensor for tensor in content.subgraphs[0].tensors if len(tensor.shape) == 1)
        buffer = content.buffers[bias.buffer]
        buffer.data = (np.frombuffer(bytes(buffer.data), "<i4") + 4000).view(np.uint8)

    copy = reader.read(with_ends(_small(), dtype))
    other = reader.read(edited(with_ends(_small(), dtype), spoil))
    wrong = dataclasses.replace(copy, origin=other.origin)
    with pytest.raises(UserError, match="output 'scores out' of the file and of its normalized copy differ"):
        origin_parity.check_origin(wrong, CODES)


def test_a_file_that_is_shipped_itself_needs_no_comparison():
    origin_parity.check_origin(reader.read(_small()), CODES)
