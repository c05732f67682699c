"""Keras files that run code or read other files when they are loaded, for tests of their refusal."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import tf_keras

layers = tf_keras.layers


def _lambda(trace: Path, name: str = "spy") -> tf_keras.layers.Layer:
    return layers.Lambda(lambda x, path=str(trace): (open(path, "w").close(), x)[1], name=name)


def _classifier(body: Callable[[Any], Any]) -> tf_keras.Model:
    image = layers.Input((16, 16, 3))
    return tf_keras.Model(image, layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D()(body(image))))


def _plain(_trace: Path) -> tf_keras.Model:
    return _classifier(layers.Conv2D(4, 3, name="convolution"))


def _top_level(trace: Path) -> tf_keras.Model:
    return _classifier(_lambda(trace))


def _nested(trace: Path) -> tf_keras.Model:
    image = layers.Input((16, 16, 3))
    inner = tf_keras.Model(image, _lambda(trace)(image), name="inner")
    return _classifier(tf_keras.Sequential([inner], name="outer"))


def _wrapped(trace: Path) -> tf_keras.Model:
    return _classifier(layers.TimeDistributed(_lambda(trace)))


class _Custom(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


def _custom(_trace: Path) -> tf_keras.Model:
    return _classifier(_Custom(name="custom"))


LIVE = {"top level": _top_level, "nested": _nested, "wrapped": _wrapped, "custom": _custom}
"""Models by what is wrong with them; each takes the path of the file that its code writes when it runs."""


def saved(make: Callable[[Path], tf_keras.Model], path: Path, trace: Path) -> Path:
    """Save a model to `path`, whose suffix decides only its name: `.keras` within a name means the zip container."""
    container = "keras" if "zip" in path.name else "h5"
    made = path.with_name(f"made.{container}")
    make(trace).save(made)
    shutil.move(made, path)
    trace.unlink(missing_ok=True)
    return path


def edited(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Change the description of a plain saved model in place."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        description = json.loads(contents["config.json"])
        edit(description)
        contents["config.json"] = json.dumps(description).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        return path
    with h5py.File(path, "r+") as file:
        description = json.loads(file.attrs["model_config"])
        edit(description)
        file.attrs["model_config"] = json.dumps(description)
    return path


def convolution(description: dict[str, Any]) -> dict[str, Any]:
    """The convolution of a plain model in its description."""
    return description["config"]["layers"][1]


def plain(path: Path) -> Path:
    """A model with nothing wrong in it."""
    return saved(_plain, path, path.with_name("unused"))
