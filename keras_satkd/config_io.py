"""Configurations as TOML presets, dictionaries and command lines; every value is checked here."""

import dataclasses
import difflib
import json
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from firmware_export.board import targets
from firmware_export.common.c_text import check_symbol
from firmware_export.common.command_line import words
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.files import read_text
from firmware_export.common.templating import one_line
from keras_satkd.config import Config, MixingConfig
from keras_satkd.registry import SETTINGS

PRESETS = Path(__file__).parent / "presets"


def from_dict(values: dict[str, Any], origin: str) -> Config:
    """The configuration in `values` (nested, as in TOML or JSON). Missing settings keep their defaults.

    Raises:
        UserError: a setting is unknown, or a value has the wrong type or is out of range; `origin` names its source.
    """
    try:
        config = TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        raise UserError(f"{origin}: {first_problem(error, Config())}") from None
    _check_texts(config, origin)
    config = _pinned(config, origin)
    if config.data.validation_fraction + config.data.test_fraction >= 1:
        fractions = f"{config.data.validation_fraction} + {config.data.test_fraction}"
        raise UserError(f"{origin}: data.validation_fraction + data.test_fraction is {fractions}; it must be below 1")
    try:
        check_symbol(config.firmware.symbol)
        if config.firmware.target is not None:
            targets.named(config.firmware.target)
    except UserError as error:
        raise UserError(f"{origin}: {error}") from None
    is_in_loop = config.distillation.teacher_logits == "in-loop"
    if config.distillation.augmentation == "randaugment" and not is_in_loop:
        raise _not_repeatable(origin, "distillation.augmentation")
    if config.teachers.taught_by and config.teachers.augmentation == "randaugment" and not is_in_loop:
        raise _not_repeatable(origin, "teachers.augmentation")
    if config.teachers.fixmatch.strong == "randaugment":
        raise UserError(f"{origin}: teachers.fixmatch.strong 'randaugment' cannot be repeated: use 'strong'")
    if config.distillation.teacher_logits == "averaged":
        _check_unmixed(config.distillation.mixing, origin, "distillation")
        if config.teachers.taught_by:
            _check_unmixed(config.teachers.mixing, origin, "teachers")
    return config


def own_extensions(config: Config) -> dict[str, str]:
    """The settings that name a user's own extension, and their values with the digest of the module's file."""
    named = {setting: _value(config, setting) for setting in SETTINGS}
    return {setting: name for setting, name in named.items() if not SETTINGS[setting].is_own(name)}


def _value(config: Config, setting: str) -> str:
    found: Any = config
    for part in setting.split("."):
        found = getattr(found, part)
    return str(found)


def _pinned(config: Config, origin: str) -> Config:
    """`config` with the digests of a user's own extensions (`registry.Registry.pinned`).

    Raises:
        UserError: an extension is unknown.
    """
    for setting, registry in SETTINGS.items():
        name = _value(config, setting)
        try:
            pinned = registry.pinned(name)
        except UserError as error:
            raise UserError(f"{origin}: {setting}: {error}") from None
        if pinned != name:
            config = _replaced(config, setting.split("."), pinned)
    return config


def _replaced(group: Any, path: list[str], value: str) -> Any:
    first, *rest = path
    return dataclasses.replace(group, **{first: _replaced(getattr(group, first), rest, value) if rest else value})


def _check_unmixed(mixing: MixingConfig, origin: str, group: str) -> None:
    if mixing.method != "none":
        raise UserError(
            f"{origin}: {group}.mixing.method {mixing.method!r} needs teacher logits of each mixed image, and averaged "
            "logits are those of unmixed ones: use 'none', or --distillation.teacher-logits precomputed or in-loop"
        )


def _not_repeatable(origin: str, setting: str) -> UserError:
    return UserError(
        f"{origin}: {setting} 'randaugment' cannot be repeated, so its teacher logits cannot be precomputed: use "
        "'satellite', or --distillation.teacher-logits in-loop"
    )


def first_problem(error: ValidationError, settings: Any) -> str:
    """The first problem that pydantic found in values for a dataclass of settings, on one line.

    Args:
        error: of `TypeAdapter.validate_python`.
        settings: an instance of the dataclass; its fields are suggested in place of an unknown one.
    """
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "unexpected_keyword_argument":
        values = dataclasses.asdict(settings)
        close = difflib.get_close_matches(where, [*values, *flatten(values)], n=1)
        return f"unknown setting {where!r}" + (f": did you mean {close[0]!r}?" if close else "")
    given = repr(problem["input"])
    given = given if len(given) <= 100 else given[:97] + "..."
    return one_line(f"{where} is {given}: {problem['msg'][0].lower()}{problem['msg'][1:]}")


def _check_texts(config: Config, origin: str) -> None:
    """Refuse texts that no path, name or command line can contain."""
    for name, value in flatten(dataclasses.asdict(config)).items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not text.isprintable():
                raise UserError(f"{origin}: {name} is {text!r}: leave out line breaks and control characters")


def validated(config: Config) -> Config:
    """`config`, after checking that every value is in its range.

    Raises:
        UserError: a value is out of range.
    """
    return from_dict(to_dict(config), "command line")


def to_dict(config: Config) -> dict[str, Any]:
    """`config` as nested dictionaries of plain values, as in `config.json`."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `{"distillation.temperature": 5.0, ...}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def changed(config: Config, settings: Mapping[str, object], origin: str) -> Config:
    """`config` with other values of some settings, such as `{"distillation.temperature": 5.0}`.

    Raises:
        UserError: a setting is unknown, or a value has the wrong type or is out of range; `origin` names its source.
    """
    values = to_dict(config)
    for name, value in settings.items():
        *groups, setting = name.split(".")
        group = values
        for each in groups:
            if not isinstance(group.get(each), dict):
                group[each] = {}  # no group of settings: told by from_dict
            group = group[each]
        group[setting] = value
    return from_dict(values, origin)


def command(config: Config, program: str) -> str:
    """The command that repeats a run: its differences from the `eurosat` preset, without folder names.

    Args:
        config: settings of the run.
        program: module, such as `keras_satkd.distill`.
    """
    return shlex.join(["python", "-m", program, *words(config, load("eurosat"))])


def load(name: str) -> Config:
    """The configuration of a preset or of a TOML file.

    The presets are the files of `PRESETS`.

    Raises:
        UserError: neither exists, the file is not valid TOML, or it contains an unknown setting.
    """
    return from_dict(read_toml(name, PRESETS, "preset", "--config"), f"--config {name}")


def read_toml(name: str, folder: Path, kind: str, option: str) -> dict[str, Any]:
    """The content of a TOML file, which is given by its path or by its name in a folder of the package.

    Args:
        name: a path that ends in `.toml`, or the stem of a file in `folder`.
        folder: TOML files that come with the package.
        kind: what the file describes, for error messages: `preset`, `sensor`.
        option: the command-line option that gave `name`, for error messages.

    Raises:
        UserError: the file does not exist, cannot be read, or is not valid TOML.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = folder / f"{name}.toml"
        if not path.exists():
            raise unknown_name(kind, name, [known.stem for known in folder.glob("*.toml")])
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise UserError(f"{option} {name}: {error.strerror}; give a {kind}'s name or a TOML file") from None
    except ValueError as error:
        raise UserError(f"{option} {name} is not TOML: {error}") from None
