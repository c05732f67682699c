import numpy as np
import pytest
from tests_support import tiny_network

from firmware_export.images.image_set import ImageSet
from keras_satkd.models.teachers import Teacher
from keras_satkd.run import hardware

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


@pytest.fixture(params=["", "avx512_bf16"], ids=["float32", "bfloat16"])
def processor(request, tmp_path_factory, monkeypatch):
    """This machine as a processor without and with bfloat16, which decides what `mixed_precision = "auto"` does."""
    path = tmp_path_factory.mktemp("processor") / "cpuinfo"
    path.write_text(f"flags : fpu avx2 {request.param}\n")
    monkeypatch.setattr(hardware, "CPUINFO", path)
    return request.param
