import logging

import numpy as np
import pytest
from pyarrow import fs
from tests_support import free_port, tiny_network

from firmware_export.images.image_set import ImageSet
from keras_satkd.models.teachers import Teacher
from keras_satkd.run import hardware

SIZE = 16
CLASSES = 3


@pytest.fixture
def image_set():
    """Makes small sets whose classes differ by their dominant color, so that anything learns them."""

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


@pytest.fixture(scope="module")
def server():
    """Host and port of moto's S3 server."""
    # Imported here, because it takes seconds.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    started = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"{host}:{port}"
    started.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """Arrow's file system with an empty bucket; the environment names the server and the credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server}")
    settings = {"endpoint_override": server, "scheme": "http", "region": "us-east-1"}
    system = fs.S3FileSystem(allow_bucket_creation=True, allow_bucket_deletion=True, **settings)
    system.create_dir("bucket")
    yield system
    system.delete_dir("bucket")


@pytest.fixture(scope="module")
def google():
    """An emulator of Google Cloud Storage, and its host and port."""
    from gcp_storage_emulator.server import create_server

    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    started = create_server(host, int(port), in_memory=True, default_bucket="bucket")
    started.start()
    yield started, address
    started.stop()


@pytest.fixture
def google_bucket(google, monkeypatch):
    """Arrow's file system with an empty bucket; the environment names the emulator."""
    started, address = google
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{address}")
    started.wipe(keep_buckets=True)
    return fs.GcsFileSystem(endpoint_override=address, scheme="http", anonymous=True)
