"""Inspection of Keras files before they are loaded: loading must not run code that a file brings, nor read other files.

Keras builds a model from a description in JSON, which names a class or a function for every part. Some of these run
code from the file (`Lambda`), import any installed module, call any TensorFlow operation, or open other files. Only the
classes and functions that are listed here pass. HDF5 files can also link to other files; such links are refused.
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError
from firmware_export.common.extras import training_packages
from firmware_export.tflite import keras_names

TRUST = "--trust-model"
"""The option that skips the inspection."""

# Operations that only compute. Others, such as `io.write_file` and `py_function`, read or write files or run code.
_OPERATIONS = re.compile(
    r"(math|nn|linalg|image|signal|bitwise|__operators__)\.\w+|"
    r"abs|add|argmax|argmin|boolean_mask|broadcast_to|cast|clip_by_value|concat|convert_to_tensor|cos|cumsum|divide|"
    r"einsum|equal|exp|expand_dims|fill|gather|gather_nd|greater|greater_equal|identity|less|less_equal|matmul|"
    r"maximum|minimum|multiply|negative|norm|not_equal|one_hot|ones|ones_like|pad|pow|range|rank|reduce_all|"
    r"reduce_any|reduce_max|reduce_mean|reduce_min|reduce_prod|reduce_sum|repeat|reshape|reverse|roll|round|shape|"
    r"sigmoid|sign|sin|size|slice|sort|split|sqrt|square|squeeze|stack|stop_gradient|strided_slice|subtract|tanh|"
    r"tensordot|tile|transpose|truediv|unstack|where|zeros|zeros_like"
)

_LARGEST_DESCRIPTION = 64 << 20
"""Largest description of a model in bytes."""


def check_model(path: Path, *, takes_keras_3: bool = False) -> None:
    """Refuse a Keras model that could run code or read other files when it is loaded. The suffix does not matter.

    Args:
        path: a `.keras` zip or an HDF5 file.
        takes_keras_3: whether a model of Keras 3 is loaded by Keras 3; otherwise `tf_keras` loads it, or refuses it.

    Raises:
        UserError: the model has such a part (the message names its layer), or the file is neither, or damaged.
    """
    if path.is_dir():
        raise UserError(
            f"{path} is a folder: a SavedModel can contain any TensorFlow operation and is not read; save the model "
            "with tf_keras as a .keras or .h5 file"
        )
    with training_packages():
        import h5py
    with _damage_reported(path):
        is_archive, is_hdf5 = zipfile.is_zipfile(path), h5py.is_hdf5(path)
        if not (is_archive or is_hdf5):
            raise UserError(f"{path} is truncated or not a Keras model (neither a zip nor HDF5): save it again")
        if is_archive:
            _check_archive(path, takes_keras_3)
        if is_hdf5:
            with h5py.File(path, "r") as file:
                _check_links(path, file)
                if "model_config" in file.attrs:
                    _check_description(path, file.attrs["model_config"], _version_in(file), takes_keras_3)


def is_keras_3(path: Path) -> bool:
    """Whether Keras 3 saved the model in a `.keras` zip or an HDF5 file; False for a file that is neither.

    Raises:
        UserError: the file is damaged.
    """
    with training_packages():
        import h5py
    with _damage_reported(path):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _is_3(_version(archive))
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return _is_3(_version_in(file))
    return False


def check_weights(path: Path) -> None:
    """Refuse an HDF5 file of weights that links to other files. A file of another type passes.

    Raises:
        UserError: it contains such a link, or is damaged.
    """
    with training_packages():
        import h5py
    with _damage_reported(path):
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                _check_links(path, file)


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is truncated or damaged ({' '.join(str(error).split())}): save it again") from error


def _check_archive(path: Path, takes_keras_3: bool) -> None:
    import h5py

    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names:
            return
        if archive.getinfo("config.json").file_size > _LARGEST_DESCRIPTION:
            raise UserError(f"{path}: config.json has more than {_LARGEST_DESCRIPTION >> 20} MiB: save the model again")
        _check_description(path, archive.read("config.json"), _version(archive), takes_keras_3)
        for name in names:
            if name.endswith(".h5"):
                with h5py.File(io.BytesIO(archive.read(name)), "r") as file:
                    _check_links(path, file)


def _version(archive: zipfile.ZipFile) -> str:
    try:
        return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (KeyError, ValueError, TypeError):
        return ""


def _version_in(file: Any) -> str:
    return str(file.attrs.get("keras_version", ""))


def _is_3(version: str) -> bool:
    return version.startswith("3.")


def _check_description(path: Path, text: Any, version: str, takes_keras_3: bool) -> None:
    try:
        description = json.loads(text)
        # The optimizer and losses of the whole model are not loaded.
        description.pop("compile_config", None)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} has a damaged description of its layers ({error}): save the model again") from None
    known = keras_names.of_keras_3() if takes_keras_3 and _is_3(version) else keras_names.legacy()
    for part, layer in _parts(description):
        if (problem := _problem(part, known)) is None:
            continue
        if _is_3(version) and not takes_keras_3:
            raise UserError(f"{path} was saved by Keras {version} ({layer}: {problem}): save it with tf_keras")
        raise UserError(
            f"{path}: {layer}: {problem}, which can run code or read files when it is loaded: remove it from the "
            f"model, or give {TRUST} if you trust the author of the file"
        )


def _parts(description: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every dictionary that names a class, and the name of the layer that it belongs to."""
    pending: list[tuple[Any, str]] = [(description, "model")]
    while pending:
        value, layer = pending.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                name = value["config"].get("name") if isinstance(value.get("config"), dict) else None
                layer = f"layer {name!r}" if isinstance(name, str) else layer
                yield value, layer
            pending += [(each, layer) for each in reversed(value.values())]
        elif isinstance(value, list):
            pending += [(each, layer) for each in reversed(value)]


def _problem(part: dict[str, Any], known: frozenset[str]) -> str | None:
    """What is unsafe about a part of a description that may contain the `known` names; None if nothing is."""
    kind, module, registered = part["class_name"], part.get("module"), part.get("registered_name")
    if kind == "function":
        # A function of Keras is named by `config`; `registered_name` repeats it or is "function".
        kind = part.get("config")
    if kind in ("Lambda", "__lambda__"):
        return "it is a Lambda, Python code in the file"
    for name in (kind, registered):
        if name is not None and (not isinstance(name, str) or (name not in known and name != "function")):
            return f"{name!r} is none of the classes and functions of Keras that are known to be safe"
    if module is not None and not _is_known_module(module):
        return f"it is from the module {module!r}"
    function = part["config"].get("function") if isinstance(part.get("config"), dict) else None
    if kind in keras_names.OPERATION_LAYERS and not (isinstance(function, str) and _OPERATIONS.fullmatch(function)):
        return f"it calls the TensorFlow operation {function!r}"
    return None


def _is_known_module(module: Any) -> bool:
    packages = ("builtins", "keras", "tf_keras", "tensorflow_model_optimization")
    return isinstance(module, str) and module.split(".")[0] in packages


def _check_links(path: Path, file: Any) -> None:
    """Refuse links and arrays whose content is in other files. h5py follows them while it reads weights."""
    import h5py

    pending = [file]
    seen: set[Any] = set()
    while pending:
        group = pending.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise UserError(f"{path}: {group.name}/{name} is a link to another file: save the model again")
            # The target of a soft link is visited under its own name.
            item = None if isinstance(link, h5py.SoftLink) else group.get(name)
            if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                raise UserError(f"{path}: the values of {item.name} are in another file: save the model again")
            if isinstance(item, h5py.Group) and item.id not in seen:
                seen.add(item.id)
                pending.append(item)
