import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


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
