import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests_support import tiny_network

from firmware_export.images.image_set import ImageSet
from keras_satkd.models.teachers import Teacher


def encoded(shade: int, size: int = 8, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def image_folder(tmp_path):
    """Makes a folder from `{"Forest/1.png": bytes or shade}`; a shade becomes a plain image of 8x8 pixels."""

    def make(contents: dict[str, bytes | int], name: str = "images") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in contents.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(content) if isinstance(content, int) else content)
        return folder

    return make


@pytest.fixture
def image_zip(tmp_path):
    """Makes a zip from the same description as `image_folder`."""

    def make(contents: dict[str, bytes | int], name: str = "images.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for file, content in contents.items():
                archive.writestr(file, encoded(content) if isinstance(content, int) else content)
        return path

    return make


SIZE = 16
CLASSES = 3


@pytest.fixture
def image_set():
    """Makes small sets whose classes differ by their dominant colour, so that anything learns them."""

    def make(images: int = 30, seed: int = 0, classes: int = CLASSES) -> ImageSet:
        random = np.random.default_rng(seed)
        labels = np.arange(images, dtype=np.int32) % classes
        pixels = random.integers(0, 120, (images, SIZE, SIZE, 3), np.uint8)
        pixels[np.arange(images), :, :, labels % 3] += 120
        names = tuple(f"class{position}" for position in range(classes))
        return ImageSet(pixels, labels, tuple(f"{names[c]}/{i}.png" for i, c in enumerate(labels)), names)

    return make


@pytest.fixture
def teacher():
    """Makes a frozen teacher."""

    def make(name: str = "tiny", seed: int = 0, **settings) -> Teacher:
        return Teacher(name, tiny_network(seed=seed, **settings), SIZE, "0..1")

    return make
