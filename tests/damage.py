"""Damage to files for tests: one flipped bit, or a cut."""

from pathlib import Path

import numpy as np

OFFSETS = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)
"""Positions in a file as fractions of its length."""


def flip(path: Path, fraction: float, bit: int = 0) -> None:
    """Flip a bit of the byte at `fraction` of the file, in place."""
    content = bytearray(path.read_bytes())
    content[min(int(fraction * len(content)), len(content) - 1)] ^= 1 << bit
    path.write_bytes(content)


def cut(path: Path, fraction: float) -> None:
    """Keep the first `fraction` of the file, less at least one byte."""
    content = path.read_bytes()
    path.write_bytes(content[: min(int(fraction * len(content)), len(content) - 1)])


def damage(path: Path, seed: int) -> None:
    """Flip any bit of the file or cut it anywhere."""
    random = np.random.default_rng(seed)
    if random.random() < 0.5:
        flip(path, random.random(), int(random.integers(8)))
    else:
        cut(path, random.random())
