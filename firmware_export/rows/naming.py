"""Names of the row engine's C: a prefix of its own for each of several models in one firmware."""

import re
from collections.abc import Mapping

from firmware_export.common import defaults
from firmware_export.common.errors import UserError


def check_prefix(prefix: str) -> None:
    """Refuse what would give names that C or C++ reserves, or macros that differ from another prefix's in case alone.

    Raises:
        UserError: anything but lower-case letters, digits and single underscores between them, a letter first.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", prefix):
        raise UserError(
            f"engine prefix {prefix!r} begins no C identifier: give lower-case letters, digits and single _ between "
            f"them, such as {defaults.ENGINE_PREFIX}"
        )


def file_name(name: str, prefix: str) -> str:
    """The name of a generated file.

    >>> file_name("satkd_model.c", "cloud")
    'cloud_model.c'
    """
    return _renamed(name, prefix)


def rename(files: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The generated files under another prefix: their names, and every function, type and macro in them.

    The comment at a file's head stays: it quotes the command.

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
