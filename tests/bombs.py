"""Small files that state or inflate to gigabytes, given to commands: `python tests/bombs.py FOLDER`.

Prints a line of JSON: for each bomb the bytes of the file, the bytes that it would take, and the command's exit code,
number of lines on standard error and peak memory in MiB.
"""

import io
import json
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import model_surgery
import numpy as np

MOST_MIB = 1536
"""The memory that a command may take to refuse a bomb; Python and its libraries take 0.3 GiB of it."""
_EXPORT = ("-m", "firmware_export")
_TORCH = (
    "import pathlib, sys; from keras_satkd.models import torch_checkpoint as torch; "
    "from firmware_export.common.errors import exit_on_user_error as run; "
    "run(lambda: torch.read(pathlib.Path(sys.argv[1])))"
)


def _png(side: int) -> bytes:
    """A black image of side × side pixels; its file has a thousandth of their bytes."""
    row = b"\0" + bytes(3 * side)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    parts = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts
    )


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def large_images(path: Path) -> int:
    """A zip of eight images of 13,300 × 13,300 pixels."""
    content = _png(13_300)
    _zip(path, {f"a/{number}.png": content for number in range(8)})
    return 8 * 13_300**2 * 4


def large_member(path: Path) -> int:
    """A zip whose one image inflates to 1 GiB of zeros."""
    size, piece = 1 << 30, bytes(1 << 24)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/0.png", "w") as member:
        for _ in range(size // len(piece)):
            member.write(piece)
    return size


def array_header(path: Path) -> int:
    """A `.npy` whose header states 10¹² images."""
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 4, 4, 3)}
        np.lib.format.write_array_header_1_0(file, header)
    return 48 * 10**12


def inflating_array(path: Path) -> int:
    """A `.npz` whose array states, and has, more than the limit."""
    size, stream = 16 << 30, io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (size // 48, 4, 4, 3)}
    np.lib.format.write_array_header_1_0(stream, header)
    _zip(path, {"images.npy": stream.getvalue() + bytes(1 << 24)})
    return size


def _tensor(size: int) -> bytes:
    def enlarge(content: object) -> None:
        subgraph = content.subgraphs[0]
        subgraph.tensors[subgraph.inputs[0]].shape = np.array([1, size, size, 3], np.int32)

    return model_surgery.edited(model_surgery.one_convolution(), enlarge)


def large_tensor(path: Path) -> int:
    """A `.tflite` whose input states 46,340² pixels."""
    path.write_bytes(_tensor(46_340))
    return 46_340**2 * 3


def checkpoint(path: Path) -> int:
    """A checkpoint whose pickle states a text of 1 TiB."""
    path.write_bytes(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.")
    return 1 << 40


@dataclass(frozen=True)
class Bomb:
    """A file and the command that reads it; `BOMB` and `MODEL` in its words are paths."""

    make: Callable[[Path], int]
    suffix: str
    words: tuple[str, ...]


IMAGES = (*_EXPORT, "MODEL", "--out", "OUT", "--images", "BOMB")
BOMBS = (
    Bomb(large_images, ".zip", IMAGES),
    Bomb(large_member, ".zip", IMAGES),
    Bomb(array_header, ".npy", IMAGES),
    Bomb(inflating_array, ".npz", (*_EXPORT, "MODEL", "--out", "OUT", "--validation", "BOMB")),
    Bomb(large_tensor, ".tflite", (*_EXPORT, "BOMB", "--out", "OUT")),
    Bomb(checkpoint, ".pth", ("-c", _TORCH, "BOMB")),
)


# A process of its own, because a child's peak begins with that of the process that starts it.
_MEASURE = """
import resource, subprocess, sys
exit_code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(exit_code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
_PROGRESS = re.compile(r" s so far$| s, about \d+ \S+ left$")  # of steps that take over five seconds


def explode(bomb: Bomb, folder: Path) -> dict[str, int]:
    """Give a bomb to its command."""
    path, model, out = folder / f"bomb{bomb.suffix}", folder / "model.tflite", folder / "out"
    model.write_bytes(model_surgery.one_convolution())
    size = bomb.make(path)
    places = {"BOMB": str(path), "MODEL": str(model), "OUT": str(out)}
    words = [sys.executable, *(places.get(word, word) for word in bomb.words)]
    done = subprocess.run([sys.executable, "-c", _MEASURE, *words], capture_output=True, text=True, check=True)
    exit_code, peak = map(int, done.stdout.split())
    lines = [line for line in done.stderr.splitlines() if not _PROGRESS.search(line)]
    return {
        "file_bytes": path.stat().st_size,
        "would_take_mib": size >> 20,
        "exit_code": exit_code,
        "lines": len(lines),
        "peak_mib": peak >> 10,
        "is_out_written": int(out.exists()),
    }


def is_refused(found: dict[str, int]) -> bool:
    """Whether the command ended with one line and exit code 2, wrote nothing, and took little memory."""
    is_clean = (found["exit_code"], found["lines"], found["is_out_written"]) == (2, 1, 0)
    return is_clean and found["peak_mib"] < MOST_MIB


def main() -> None:
    """Give every bomb to its command."""
    root, results = Path(sys.argv[1]).resolve(), {}
    for bomb in BOMBS:
        folder = root / bomb.make.__name__
        folder.mkdir(parents=True)
        results[bomb.make.__name__.replace("_", " ")] = explode(bomb, folder)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
