"""Names in the row engine's C: each of several models in one firmware has its own prefix."""

import re
from collections.abc import Mapping

from firmware_export.common import defaults
from firmware_export.common.errors import UserError

ENGINE = "satkd_engine"
"""The prefix of the engine's functions."""

MODEL_FILES = ("satkd_model.c", "satkd_model.h")
"""The files that `compile.compile_rows` generates, sorted, with the default prefix."""

GOLDEN_FILES = ("satkd_golden.c", "satkd_golden.h")
"""The files that `golden.render` generates, sorted, with the default prefix."""


def check_prefix(prefix: str) -> None:
    """Reject a prefix that gives names reserved in C or C++, or whose macros could equal those of another prefix.

    Raises:
        UserError: the prefix is not a letter followed by letters, digits and single underscores, all in lower case, or
            it is that of the engine's own names.
    """
    if prefix == ENGINE:
        raise UserError(f"engine prefix {prefix!r} is that of the engine's own names: give another, such as cloud")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", prefix):
        raise UserError(
            f"engine prefix {prefix!r} is not a valid start of C identifiers: use lower-case letters, digits and "
            f"single _ between them, such as {defaults.ENGINE_PREFIX}"
        )


def file_name(name: str, prefix: str) -> str:
    """The name of a generated file.

    >>> file_name("satkd_model.c", "cloud")
    'cloud_model.c'
    """
    return _renamed(name, prefix)


def rename(files: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The generated files with another prefix in their names and in every function, type and macro.

    The header comment of a file is unchanged, since it quotes the command.

    >>> rename({"satkd_model.h": "/* satkd_x */ int satkd_begin(void); /* SATKD_OK */"}, "cloud")
    {'cloud_model.h': '/* satkd_x */ int cloud_begin(void); /* CLOUD_OK */'}
    """
    return {file_name(name, prefix): _text(text, prefix) for name, text in files.items()}


def _text(text: str, prefix: str) -> str:
    head, end, body = text.partition("*/") if text.startswith("/*") else ("", "", text)
    return head + end + _renamed(body, prefix)


def _renamed(text: str, prefix: str) -> str:
    text = re.sub(rf"\b{defaults.ENGINE_PREFIX}_", f"{prefix}_", text)
    return re.sub(rf"\b{defaults.ENGINE_PREFIX.upper()}_", f"{prefix.upper()}_", text)
