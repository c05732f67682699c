import collections
import pickle
import struct
import subprocess
import sys
import types

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.models import torch_checkpoint


class _Storage:
    """Pickled as PyTorch pickles one: by reference to the bytes at the end of the file."""

    def __init__(self, kind: str, key: str, values: np.ndarray) -> None:
        self.kind, self.key, self.values = kind, key, values


class _Global:
    """Pickled as the name of something in PyTorch, which is not there to be imported."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Pickler(pickle._Pickler):
    """The pure Python one, because only it lets the names of classes be written that do not exist."""

    def persistent_id(self, value):
        if isinstance(value, _Storage):
            return ("storage", _Global("torch", value.kind), value.key, "cpu", len(value.values), None)
        return None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, _Global):
            self.write(b"c" + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, types.SimpleNamespace):
            self.save(_Global(*value.called))
            self.save(value.arguments)
            self.write(b"R")
        else:
            super().save(value, save_persistent_id)


def tensor(storage, offset, shape, strides, called=("torch._utils", "_rebuild_tensor_v2")):
    arguments = (storage, offset, shape, strides, False, collections.OrderedDict())
    return types.SimpleNamespace(called=called, arguments=arguments)


def write(path, tensors, storages, magic=torch_checkpoint.MAGIC_NUMBER):
    with path.open("wb") as file:
        for value in (magic, 1001, {"little_endian": True}, collections.OrderedDict(tensors)):
            _Pickler(file, 2).dump(value)
        pickle.dump([storage.key for storage in storages], file, 2)
        for storage in storages:
            file.write(struct.pack("<q", len(storage.values)) + storage.values.tobytes())
    return path


@pytest.fixture
def numbers():
    return _Storage("FloatStorage", "7", np.arange(24, dtype="<f4"))


def test_offset_and_strides_are_honoured(tmp_path, numbers):
    count = _Storage("LongStorage", "9", np.array([41], "<i8"))
    tensors = {
        "rows": tensor(numbers, 0, (4, 6), (6, 1)),
        "columns": tensor(numbers, 2, (3, 2), (1, 4)),
        "count": tensor(count, 0, (), ()),
    }
    read = torch_checkpoint.read(write(tmp_path / "net.pth", tensors, [numbers, count]))
    assert list(read) == ["rows", "columns", "count"]
    np.testing.assert_array_equal(read["rows"], np.arange(24).reshape(4, 6))
    np.testing.assert_array_equal(read["columns"], [[2, 6], [3, 7], [4, 8]])
    assert read["count"] == 41


def test_a_tensor_beyond_its_storage(tmp_path, numbers):
    path = write(tmp_path / "net.pth", {"rows": tensor(numbers, 1, (4, 6), (6, 1))}, [numbers])
    with pytest.raises(UserError, match=r"net\.pth is not a PyTorch state dictionary"):
        torch_checkpoint.read(path)


def test_files_that_end_early(tmp_path, numbers):
    path = write(tmp_path / "net.pth", {"rows": tensor(numbers, 0, (4, 6), (6, 1))}, [numbers])
    content = path.read_bytes()
    for length in (0, 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match="is not a PyTorch state dictionary"):
            torch_checkpoint.read(path)


def test_a_file_cannot_run_code(tmp_path, numbers):
    harmful = {"rows": tensor(numbers, 0, (4, 6), (6, 1), called=("os", "system"))}
    with pytest.raises(UserError, match=r"os\.system does not belong"):
        torch_checkpoint.read(write(tmp_path / "net.pth", harmful, [numbers]))


def test_other_files(tmp_path, numbers):
    with pytest.raises(UserError, match="No such file"):
        torch_checkpoint.read(tmp_path / "absent.pth")
    with pytest.raises(UserError, match="magic number 5"):
        torch_checkpoint.read(write(tmp_path / "net.pth", {}, [], magic=5))


BOMBS = {
    "an index of the memo": b"\x80\x02K\x01r\xff\xff\xff\x7f.",
    "a text of 1 TiB": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
    "bytes of 1 TiB": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
    "a frame of 1 TiB": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"x.",
    "a number of 1 GiB": b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"x.",
    "nested lists": b"\x80\x02(K\x01l" + b"22aa" * 200 + b".",
    "no opcode": b"\x80\x02\xff.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_takes_little_memory(tmp_path, bomb):
    (tmp_path / "bomb.pth").write_bytes(BOMBS[bomb])
    code = (
        "import pathlib, resource, sys; from keras_satkd.models import torch_checkpoint; "
        "from firmware_export.common.errors import exit_on_user_error as run; "
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize(); "
        "resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2); "
        "run(lambda: torch_checkpoint.read(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "bomb.pth")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "is not a PyTorch state dictionary" in done.stderr


def test_a_storage_that_states_more_than_the_file_has(tmp_path, numbers):
    path = write(tmp_path / "net.pth", {"rows": tensor(numbers, 0, (4, 6), (6, 1))}, [numbers])
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<q", 24), struct.pack("<q", 1 << 50)))
    with pytest.raises(UserError, match="bytes expected"):
        torch_checkpoint.read(path)
