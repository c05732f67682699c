"""Ring buffers: the memory for some rows of a tensor, row y in slot y mod depth."""

from dataclasses import dataclass
from functools import cached_property

from firmware_export.rows.layers import Tensor

_ALIGNMENT = 4


@dataclass(frozen=True)
class Ring:
    """Memory for `depth` rows, shared by tensors of the same shape, each of which overwrites the previous one."""

    tensors: tuple[Tensor, ...]
    depth: int
    pad_left: int
    """Zero-point pixels before each row: the most that any reader needs."""
    pad_right: int
    shares_padding: bool = True
    """Whether the padding behind a row is also that before the next one; some more then follows the last row."""

    @property
    def tensor(self) -> Tensor:
        """The last of the tensors, which other layers read."""
        return self.tensors[-1]

    @cached_property
    def row_bytes(self) -> int:
        """The distance between rows, a multiple of 4."""
        pads = (self.pad_left, self.pad_right)
        return _aligned((self.tensor.width + (max(pads) if self.shares_padding else sum(pads))) * self.tensor.channels)

    @cached_property
    def bytes(self) -> int:
        """The size of all rows with their padding, a multiple of 4."""
        needed = (self.pad_left + self.tensor.width + self.pad_right) * self.tensor.channels
        return self.depth * self.row_bytes + _aligned(max(0, needed - self.row_bytes))

    @property
    def is_padded(self) -> bool:
        """Whether its rows have padding, which is set once and must stay."""
        return self.pad_left + self.pad_right > 0

    @property
    def is_whole(self) -> bool:
        """Whether it holds all rows of a tensor with several rows."""
        return self.depth == self.tensor.height > 1


def _aligned(codes: int) -> int:
    return -(-codes // _ALIGNMENT) * _ALIGNMENT
