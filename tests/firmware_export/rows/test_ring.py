from firmware_export.rows.layers import Tensor
from firmware_export.rows.ring import Ring

TENSOR = Tensor(0, "t", 5, 7, 3, 0)


def test_rows_share_the_padding_between_them():
    ring = Ring((TENSOR,), 2, 1, 1)
    assert (ring.row_bytes, ring.bytes, ring.tensor) == (24, 2 * 24 + 4, TENSOR)  # 3 codes of padding follow the end
    assert Ring((TENSOR,), 2, 0, 1).bytes == Ring((TENSOR,), 2, 1, 0).bytes == 2 * 24
    wider = Ring((TENSOR,), 4, 3, 2)  # 7 pixels and 3 between rows: 30 codes, and 2 to the next word
    assert (wider.row_bytes, wider.bytes) == (32, 4 * 32 + 4)


def test_rows_with_padding_of_their_own():
    ring = Ring((TENSOR,), 2, 1, 1, shares_padding=False)
    assert (ring.row_bytes, ring.bytes) == (28, 56)
    assert Ring((TENSOR,), 1, 0, 0).row_bytes == 24


def test_a_ring_of_all_rows_is_whole():
    assert Ring((TENSOR,), 5, 0, 0).is_whole
    assert not Ring((TENSOR,), 4, 0, 0).is_whole
