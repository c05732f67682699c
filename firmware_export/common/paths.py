"""Which strings are paths rather than names, and the short spelling of a path in a quoted command."""

import itertools
import os
from collections.abc import Collection
from pathlib import Path

_FILES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".7z", ".rar", ".csv", ".tsv", ".parquet")


def looks_like_path(text: str) -> bool:
    """Whether `text` can only be a path, whether or not it exists: no name of a data set or model has this form."""
    if not text or text.startswith((".", "/", "~")) or text.lower().endswith(_FILES):
        return True
    # A TFDS name is at most `name/config:version`, and only the version has dots: eurosat/rgb:2.0.0.
    return text.count("/") > 1 or "\\" in text or ("/" in text and "." in text and ":" not in text)


def is_path(text: str) -> bool:
    """Whether `text` exists as a path or can only be one."""
    return looks_like_path(text) or os.path.exists(os.path.expanduser(text))


def shortened(path: Path, paths: Collection[Path]) -> str:
    """The last component of `path`, after as many of its folders as distinguish it from the others in `paths`.

    >>> shortened(Path("/home/me/images.zip"), [Path("/home/me/images.zip")])
    'images.zip'
    >>> shortened(Path("/runs/a/m"), [Path("/runs/a/m"), Path("/runs/b/m")])
    'a/m'
    """
    namesakes = {path, *(other for other in paths if other.name == path.name)}
    length = next(
        length for length in itertools.count(1) if len({other.parts[-length:] for other in namesakes}) == len(namesakes)
    )
    return str(Path(*path.parts[-length:]))
