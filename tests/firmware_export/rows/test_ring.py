from firmware_export.rows.layers import Tensor
from firmware_export.rows.ring import Ring

TENSOR = Tensor(0, "t", 5, 7, 3, 0)


def test_a_row_is_a_whole_number_of_words_with_its_padding():
    ring = Ring((TENSOR,), 2, 1, 1)
    assert (ring.row_bytes, ring.bytes, ring.tensor) == (28, 56, TENSOR)
    assert Ring((TENSOR,), 1, 0, 0).row_bytes == 24


def test_a_ring_of_all_rows_is_whole():
    assert Ring((TENSOR,), 5, 0, 0).is_whole
    assert not Ring((TENSOR,), 4, 0, 0).is_whole
