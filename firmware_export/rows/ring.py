"""Ring buffers: the memory for some rows of a tensor, row y in slot y mod depth."""

from dataclasses import dataclass

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

    @property
    def tensor(self) -> Tensor:
        """The last of the tensors, which other layers read."""
        return self.tensors[-1]

    @property
    def row_bytes(self) -> int:
        """The distance between rows, a multiple of 4."""
        tensor = self.tensor
        codes = (self.pad_left + tensor.width + self.pad_right) * tensor.channels
        return -(-codes // _ALIGNMENT) * _ALIGNMENT

    @property
    def bytes(self) -> int:
        """The size of all rows."""
        return self.depth * self.row_bytes

    @property
    def is_whole(self) -> bool:
        """Whether it holds all rows of a tensor with several rows."""
        return self.depth == self.tensor.height > 1
