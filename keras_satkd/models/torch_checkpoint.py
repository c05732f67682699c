"""PyTorch's first checkpoint format (before 1.6) as NumPy arrays, without PyTorch.

The file is a sequence of pickles (magic number, protocol, the writer's type sizes, the state dictionary, the keys of
the storages) followed by the storages, each an int64 count and its raw elements (`_legacy_save` in PyTorch's
`serialization.py`). A tensor is a storage with an offset, a shape and strides, which need not be in row-major order.
"""

import collections
import os
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.templating import one_line

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_ELEMENTS: dict[str, np.dtype] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Bounded:
    """A file that refuses to read more than it has: a pickle states lengths, and Python would allocate them first."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, os.fstat(file.fileno()).st_size

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self._left:
            raise EOFError(f"{count} bytes expected, {self._left} are left")
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline()
        self._left -= len(line)
        return line


class _Unpickler(pickle._Unpickler):
    """Accepts only the few names that a state dictionary needs, so that a file cannot run code.

    It is the one written in Python: the one in C fills gigabytes of memory if a pickle states a large index.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in _ELEMENTS:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a state dictionary")

    def persistent_load(self, pid: Any) -> Any:
        _, elements, key, *_ = pid
        return elements, key


def read(path: Path) -> dict[str, np.ndarray]:
    """The state dictionary in `path`: float32 and int64 arrays by name, in the order of the network's layers.

    Raises:
        UserError: the file is missing, or is not a checkpoint in this format.
    """
    try:
        with path.open("rb") as file:
            return _read(_Bounded(file))
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, pickle.UnpicklingError) as error:
        reason = one_line(str(error))[:200]
        raise UserError(f"{path} is not a PyTorch state dictionary in the format before 1.6 ({reason})") from None


def _read(file: _Bounded) -> dict[str, np.ndarray]:
    magic, _protocol, _sizes, tensors, keys = (_Unpickler(file).load() for _ in range(5))
    if magic != MAGIC_NUMBER:
        raise ValueError(f"magic number {magic}" if isinstance(magic, int) else "no magic number")
    elements = {key: _ELEMENTS[name] for (name, key), *_ in tensors.values()}
    storages = {key: file.read(int.from_bytes(file.read(8), "little") * elements[key].itemsize) for key in keys}

    def array(storage: tuple[str, str], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
        kind = elements[storage[1]]
        in_bytes = [stride * kind.itemsize for stride in strides]
        # NumPy raises an error if the array does not fit its storage, as in a truncated file.
        return np.ndarray(shape, kind, storages[storage[1]], offset * kind.itemsize, in_bytes)

    return {name: array(*tensor) for name, tensor in tensors.items()}
